"""The pages say what is true of this repository: links lead somewhere, commands exist, configurations are sound."""

from __future__ import annotations

import copy
import json
import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas
import pytest
import yaml
from snakemake_rules import rules

from robustness.claims.verdicts import FAILS, UNDECIDED
from robustness.config import overlays
from robustness.config.removals import without_removed
from robustness.config.schema_problems import places
from robustness.config.validate import check, read_yaml
from robustness.errors import UserError
from robustness.storage.tables import read_rows
from robustness.text import listed

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCHEMA = read_yaml(ROOT / "schemas" / "config.schema.yaml")
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))

each_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page in links."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """What a page tells to type: lines of shell blocks, and what stands between backticks."""
    typed = [line.partition(" #")[0] for block in blocks(page, "sh") for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return [command.strip() for command in typed + re.findall(r"`([^`]+)`", prose)]


@each_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{page.name} links to {target}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), {ROOT / "README.md"}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = {(page.parent / path).resolve() for path in re.findall(r"\]\(([^)\s#]+\.md)", text_of(page))}
        waiting |= links - reached
    assert reached >= set(PAGES)


@each_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in commands(page):
        if command.startswith("make "):
            targets = [word for word in shlex.split(command)[1:] if "=" not in word]
            assert set(targets) <= known, f"{page.name} says `{command}`"


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_the_build_without_gpu_libraries_asks_for_the_versions_of_the_project() -> None:
    planned = ["make", "--always-make", "--dry-run", "install", "CPU=1", "CPU_WHEELS=https://index.invalid/"]
    said = subprocess.run(planned, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r'"(torch(?:vision)?==[\d.]+)"', project)
    assert len(versions) == 2
    (install,) = (line for line in said.splitlines() if "/pip install" in line)
    assert "--extra-index-url https://index.invalid/ " + " ".join(f"{each}+cpu" for each in versions) in install
    usual = subprocess.run([*planned[:-2]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "cpu" not in usual


def targets_of(command: str) -> list[str]:
    """The files and rules that a command of Snakemake names."""
    words = re.sub(r"--configfile( [\w./-]+)+", "", command).split()[1:]
    options = ("--cores", "--config", "--profile", "--sdm")
    words = [word for before, word in zip(["", *words], words, strict=False) if before not in options]
    return [word for word in words if "=" not in word and re.match(r"[a-z]", word)]


def known_to_snakemake(target: str) -> bool:
    """Whether there is such a target at one of the scales: a rule's name, a dataset's folder, or a file in one."""
    if target in rules():
        return True
    names = "|".join(CONFIG["datasets"])
    parts = "figures|tables|speed|trust|sensitivity|believability|transfer|targeted"
    of_one = rf"({names})(/({parts})(/\w+\.(svg|csv))?)?"
    of_all = r"run_time|claims\.(html|csv)|study\.html"
    return re.fullmatch(rf"results/((demo|paper)/)?({of_one}|{of_all})", target) is not None


@each_page
def test_every_snakemake_target_that_is_named_exists(page: Path) -> None:
    for command in commands(page):
        if re.match(r"(\.venv/bin/)?snakemake ", command):
            for target in targets_of(command):
                assert known_to_snakemake(target), f"{page.name} says `{command}`: {target}"


@each_page
def test_every_configuration_that_a_command_names_is_there_or_shown(page: Path) -> None:
    for command in commands(page):
        found = re.search(r"snakemake .*--configfile((?: [\w./-]+)+)", command)
        for name in found[1].split() if found else []:
            text = text_of(page)
            shown = f"here `{name}`:" in text or f">{name}" in text or f"NAME={Path(name).stem} " in text
            assert (ROOT / name).exists() or shown, f"{page.name} says `{command}`"


@each_page
def test_every_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    tops = {path.name for path in ROOT.iterdir()} - {"results", "study.html", ".venv"}
    for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text_of(page)):
        if name.split("/")[0] in tops:
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def merged(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` laid over `base`, as Snakemake does it."""
    result = copy.copy(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@each_page
def test_every_configuration_that_is_shown_is_sound_over_the_default(page: Path) -> None:
    for block in blocks(page, "yaml"):
        overlay = yaml.safe_load(block)
        if set(overlay) <= set(CONFIG):
            assert check(without_removed(merged(CONFIG, overlay)), SCHEMA) == [], block


def test_every_test_that_is_said_to_hold_a_promise_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", text_of(ROOT / "docs" / "faults.md")))
    written = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"^def (\w+)", text_of(path), re.M)
    }
    assert len(named) > 25
    assert named <= written, named - written


def test_the_page_of_the_configuration_is_what_make_docs_writes() -> None:
    writer = runpy.run_path(str(ROOT / "docs" / "write_configuration.py"))
    assert text_of(writer["PAGE"]) == writer["page"](SCHEMA, CONFIG), "run `make docs`"


def test_the_page_of_the_configuration_has_every_key() -> None:
    page = text_of(ROOT / "docs" / "configuration.md")
    known = places(SCHEMA)
    leaves = [place for place in known if not any(other.startswith(f"{place}.") for other in known)]
    assert len(leaves) > 50
    for place in leaves:
        # `original` is described with all other attacks
        assert f"`{place.replace('attacks.original', 'attacks.<name>')}`" in page, place


def test_the_pages_are_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", "docs"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no repository")
    missing = {str(page.relative_to(ROOT)) for page in PAGES[1:]} - set(listed.stdout.split())
    assert not missing, "git add them"


# ---- the README -----------------------------------------------------------------------------------------------------


def test_the_numbers_that_a_page_says_were_found_are_the_published_tables() -> None:
    publish = runpy.run_path(str(ROOT / "docs" / "publish.py"))
    runs = publish["published"]()
    assert publish["IN_PICTURE"] in {run.name for run in runs}
    for run in runs:
        for page in publish["pages_about"](run):
            assert publish["written"](page, run) == page.read_text(encoding="utf-8"), "run make publish"


def test_what_five_trainings_add_is_what_their_claims_say() -> None:
    results = ROOT / "docs" / "results"
    text = " ".join(text_of(results / "README.md").split())
    claims = read_rows(results / "five-seeds" / "claims.csv", text=("weights_verdict", "verdict", "why"))
    rows = {int(row["claim"]): row for row in claims}
    lost = [n for n, row in rows.items() if row["verdict"] == UNDECIDED != row["weights_verdict"]]
    failed = [n for n, row in rows.items() if row["verdict"] == FAILS]
    assert f"undecided about the recipes: {listed(map(str, lost))}." in text
    assert f"Sentences {listed(map(str, failed))} do not hold of the recipes either." in text
    assert f"its p is {rows[5]['p']:.3f}, and {rows[5]['p_holm']:.3f} after the correction" in text
    assert f"the noisy ResNet needs {rows[4]['low']:.1f} to {rows[4]['high']:.1f} times as much" in text
    (low, high) = re.findall(r"resnet-noisy needs [\d.]+ \(([\d.]+) to ([\d.]+)\)", rows[8]["why"])[0]
    assert f"it needs {float(low):.2f} to {float(high):.2f} times as much" in text
    mnist, cifar = (
        widths(results / "five-seeds" / name) / widths(results / "default" / name) for name in CONFIG["study"]
    )
    most = [wider.pop("resnet-clean") for wider in (mnist, cifar)]
    assert f"is {most[0]:.0f} times as wide on MNIST, and {most[1]:.1f} times on CIFAR-10, as over images" in text
    others = pandas.concat([mnist, cifar])
    assert f"For the other six networks the ratio is {others.min():.1f} to {others.max():.1f}, about what" in text


def widths(dataset: Path) -> pandas.Series:
    """How wide the interval of each model's mean change is, in a published run's folder of a dataset."""
    table = pandas.read_csv(dataset / "tables" / "robustness.csv")
    table = table[(table["attack"] == "original") & (table["required_confidence"] == 0.9)].set_index("model")
    return table["mean_change_high"] - table["mean_change_low"]


def test_what_the_papers_width_changes_is_what_its_tables_say() -> None:
    run = ROOT / "docs" / "results" / "mnist-full"
    text = " ".join(text_of(run.parent / "README.md").split())
    accuracy = pandas.read_csv(run / "mnist" / "tables" / "accuracy.csv").set_index("model")
    clean, basic, noisy = (accuracy.loc[name] for name in ("resnet-clean", "basic-noisy", "resnet-noisy"))
    assert f"after one epoch, {clean.accuracy:.4f} (the paper: {clean.accuracy_published:.4f})." in text
    assert f"nearly the paper's accuracy, {basic.accuracy:.4f} ({basic.accuracy_published:.4f})." in text
    assert (
        f"brings the noisy ResNet to {noisy.accuracy:.4f}, where the paper has {noisy.accuracy_published:.4f}." in text
    )
    claims = pandas.read_csv(run / "claims.csv").set_index("claim")
    assert f"It needs {1 / claims.loc[3, 'estimate']:.1f} times as much change as the clean basic classifier" in text
    assert claims.loc[1, "weights_verdict"] == UNDECIDED
    assert (claims.loc[[3, 4, 6, 11], "weights_verdict"] == FAILS).all()
    parameters = set(pandas.read_csv(run / "mnist" / "tables" / "models.csv")["parameters"])
    assert parameters == {39760, 20402188}
    assert all(f"{number:,}" in text for number in parameters)


def test_what_a_published_network_shows_is_what_its_tables_say() -> None:
    results = ROOT / "docs" / "results"
    text = " ".join(text_of(results / "README.md").split())
    tables = results / "published-resnet18" / "cifar" / "tables"
    bounds = read_rows(tables / "robust_accuracy.csv", text=("model", "norm"))
    rows = [row for row in bounds if row["norm"] == "linf"]
    ours, all_attacks = ([round(100 * row[f"{who}_accuracy"]) for row in rows] for who in ("ours", "robust"))
    assert f"{ours[0]} withstand our attacks at L∞ ≤ 0.5/255, and {all_attacks[0]} AutoAttack, too;" in text
    assert f"at 1/255 these are {ours[1]} and {all_attacks[1]}, at 2/255 {ours[2]} and {all_attacks[2]}." in text
    checks = {row["check"]: row for row in read_rows(tables / "trust.csv", text=("model", "check", "why"))}
    saved = checks["eight_bits"]
    assert [name for name, row in checks.items() if row["passed"] == "false"] == ["eight_bits"]
    assert f"of {saved['images']} adversarial images, {round(saved['value'] * saved['images'])} are no longer" in text


def test_the_default_noise_is_the_level_that_was_found_for_it() -> None:
    path = ROOT / "docs" / "results" / "default" / "mnist" / "calibration" / "basic-noisy.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert CONFIG["datasets"]["mnist"]["augmentation"]["sigma"] == round(found["sigma"], 2)
    (said,) = re.findall(r"epochs\) it is ([\d.]+) \(([\d.]+) to ([\d.]+)\)", text_of(ROOT / "docs" / "limits.md"))
    assert said == tuple(f"{found[name]:.2f}" for name in ("sigma", "sigma_low", "sigma_high"))


def test_a_page_without_the_marks_is_refused(tmp_path: Path) -> None:
    publish = runpy.run_path(str(ROOT / "docs" / "publish.py"))
    page = tmp_path / "page.md"
    page.write_text("no marks here", encoding="utf-8")
    with pytest.raises(UserError, match=r"page\.md lacks the lines"):
        publish["written"](page, publish["RESULTS"] / "default")


def test_a_published_figure_keeps_its_shapes() -> None:
    publish = runpy.run_path(str(ROOT / "docs" / "publish.py"))
    drawn = '<path d="M 1.25 2.123456 \nL 3 4 \nL 3 4 \nL 5.67 6 \nQ 7 8 9.99 10 \nL 11 12 \nL 13 14 \nz\n"/>'
    assert publish["rounded"](drawn) == ('<path d="M 1.2 2.1 3 4 5.7 6 \nQ 7 8 10.0 10 \nL 11 12 13 14 \nz\n"/>')


def test_a_study_that_is_not_whole_is_not_published(tmp_path: Path) -> None:
    publish = runpy.run_path(str(ROOT / "docs" / "publish.py"))
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "study.html").touch()
    with pytest.raises(UserError, match=r"lacks claims\.csv, run_time/run_time\.csv, mnist/tables and mnist/figures"):
        publish["copied"](tmp_path / "made", tmp_path / "run", {"study": ["mnist"]})
    assert not (tmp_path / "run").exists()


def test_a_published_configuration_is_laid_over_as_snakemake_does(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("datasets: { mnist: { alpha: 0.25, models: { basic-clean: null } } }", encoding="utf-8")
    mnist = overlays.merged(ROOT, [read_yaml(overlay)])["datasets"]["mnist"]
    assert mnist["alpha"] == 0.25
    assert list(mnist["models"]) == [name for name in CONFIG["datasets"]["mnist"]["models"] if name != "basic-clean"]


def test_the_readmes_graph_names_rules_that_exist() -> None:
    (graph,) = blocks(ROOT / "README.md", "mermaid")
    named = set(re.findall(r"\w+", graph)) - {"flowchart", "LR", "tables", "figures", "pages"}
    assert named > {"train_model", "attack_shard"}
    assert named <= set(rules())
