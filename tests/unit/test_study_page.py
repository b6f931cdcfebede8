"""The study's page: its numbers are the tables', its words fit the study, and no title becomes markup."""

from __future__ import annotations

import base64
import copy
import json
import math
import re
import subprocess
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import HOSTILE, ROOT, SVG, TEMPLATE, write_study

import write_page
from robustness.claims.verdicts import FAILS, HOLDS, NOT_STUDIED, UNDECIDED
from robustness.errors import UserError
from robustness.figures import style
from robustness.pages import claims_page, files, pictures, shown_figures, summary
from robustness.pages import page as study_page
from robustness.pages.captions import caption, to_html
from robustness.products.pages import study as product
from robustness.text import number

CLAIMS = ROOT / "report" / "claims.html.j2"
EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "mspace"}


class Page(HTMLParser):
    """The elements of a page, its ids and links, and whether every element that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    results = tmp_path_factory.mktemp("study")
    return results, write_study(results)


def rendered(results: Path, spec: dict[str, Any]) -> str:
    return study_page.page(files.read(results, spec, TEMPLATE.parent, results), spec, TEMPLATE, "../docs/claims.md")


@pytest.fixture(scope="module")
def text(study: tuple[Path, dict[str, Any]]) -> str:
    return rendered(*study)


def words(text: str) -> str:
    """What a reader sees, in one line."""
    visible = re.sub(r"<(style|script)>.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", visible)).split())


def test_the_script_writes_the_same_bytes_each_time(study: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    results, spec = study
    for name in ("a.html", "b.html"):
        flags = ["--spec", json.dumps(spec), "--results", results, "--template", TEMPLATE, "--page", tmp_path / name]
        write_page.main(write_page.arguments(product).parse_args([str(flag) for flag in flags]))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_every_element_is_closed_every_link_leads_somewhere_and_ids_differ(text: str) -> None:
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    named = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    links = [link["href"] for link in page.of("a")]
    assert {str(name) for name in named} | {str(link)[1:] for link in links} <= set(map(str, ids))
    assert all(not re.search(r"\s", str(name)) for name in ids)
    assert all(image["alt"] for image in page.of("img") if image["src"] != "data:,")


def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    page = Page(text)
    addresses = [attributes.get(key) for _, attributes in page.elements for key in ("src", "href")]
    assert {str(each)[:5] for each in addresses if each and not each.startswith("#")} == {"data:"}
    (policy,) = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_titles_and_sentences_are_shown_as_they_are_and_never_as_markup(text: str) -> None:
    assert len(Page(text).of("script")) == 1
    for hostile in ("<script>throw", "Own <i>images", "It <b>is", "a <fast>", "<images>", "<wild>", "class “<b>7"):
        assert hostile not in text
        assert hostile in words(text)
    assert HOSTILE in words(text)


def test_the_page_says_how_many_images_were_read_and_what_was_passed_over(text: str) -> None:
    assert "The source: 5,000 images read; passed over: files ending in .heic: 3." in words(text)


def test_numbers_on_the_page_are_those_of_the_tables(study: tuple[Path, dict[str, Any]], text: str) -> None:
    results, _ = study
    table = pandas.read_csv(results / "mnist" / "tables" / "robustness.csv")
    for row in table.to_dict("records"):
        for name in ("median_mean_change", "mean_change", "median_l2"):
            if row["required_confidence"] == 0.9:
                shown = f'data-sort="{row[name]!r}">{number(row[name])}<span class="interval">'
                low, high = (number(row[f"{name}_{bound}"]) for bound in ("low", "high"))
                assert f"{shown}{low} to {high}</span>" in text
    assert 'data-sort="0.91337">91.3\u00a0%<span class="interval">90.0\u00a0% to 92.0\u00a0%</span>' in text


def test_the_robust_accuracy_comes_first_of_what_is_said_of_robustness(text: str) -> None:
    start = text.index('id="robustness"')
    said = words(text[start:])
    assert said.index("Robust accuracy on MNIST") < said.index("Robust accuracy under AutoAttack and our attacks")
    assert said.index("Robust accuracy under AutoAttack and our attacks") < said.index("Change per pixel, median")
    assert 'data-sort="0.314">31.4\u00a0%<span class="interval">20.0\u00a0% to 40.0\u00a0%</span>' in text
    assert "L∞ 8/255" in said
    alts = [str(image["alt"]) for image in Page(text).of("img")]
    of_robustness = [alt for alt in alts if "no attack fools" in alt or "Bar chart: mean change" in alt]
    assert "no attack fools" in of_robustness[0]


def test_the_summary_names_the_most_and_the_least_robust_model_with_intervals(
    study: tuple[Path, dict[str, Any]],
) -> None:
    results, spec = study
    dataset = replace(files.read(results, spec, TEMPLATE.parent, results).datasets[0], trust=[])
    sentences, otherwise = summary.most_and_least_robust(spec["datasets"][0], dataset, 0.9)
    said = words(sentences)
    assert "On MNIST , by the median change until a wrong class has a probability of 0.9, the most robust is" in said
    assert f"is {HOSTILE} , which needed a median change of 0.235 per pixel (95 % interval 0.211 to 0.258)" in said
    assert "and the least robust is Plain net , with 0.0123 per pixel (95 % interval 0.0111 to 0.0136)." in said
    assert otherwise == []
    assert "by other criteria" not in said
    assert "overlaps" not in said
    assert "Not ranked" not in said


def with_values(
    dataset: files.Dataset, table: str, column: str, level: str, at: float, **values: float
) -> files.Dataset:
    """The dataset, trusted, with other values in a column of a table, where its `level` is `at`."""
    changed = dataset.tables[table].copy()
    for model, value in values.items():
        changed.loc[(changed["model"] == model) & (changed[level] == at), column] = value
    return replace(dataset, trust=[], tables=dataset.tables | {table: changed})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("robustness", "median_mean_change", "required_confidence", 0.0, {"plain": 0.3, "wild": 0.1}),
            "By the median change until any wrong class is predicted, the most robust is Plain net (0.300, 95 % "
            f"interval 0.00556 to 0.00679), and the least robust is {HOSTILE} (0.100, 95 % interval 0.106 to 0.129).",
        ),
        (
            ("robust_accuracy", "robust_accuracy", "budget", 8 / 255, {"plain": 0.4, "wild": 0.3}),
            "By robust accuracy under AutoAttack within L∞ 8/255, the most robust is Plain net (40.0 %, 95 % interval "
            f"20.0 % to 40.0 %), and the least robust is {HOSTILE} (30.0 %, 95 % interval 20.0 % to 40.0 %).",
        ),
        (("robust_accuracy", "robust_accuracy", "budget", 8 / 255, {"plain": 0.3, "wild": 0.4}), ""),
    ],
)
def test_the_sentence_on_the_most_robust_model_says_where_another_criterion_turns_the_order_over(
    study: tuple[Path, dict[str, Any]], change: tuple[str, str, str, float, dict[str, float]], told: str
) -> None:
    results, spec = study
    dataset = files.read(results, spec, TEMPLATE.parent, results).datasets[0]
    *where, values = change
    changed = with_values(dataset, *where, **values)
    sentences, otherwise = summary.most_and_least_robust(spec["datasets"][0], changed, 0.9)
    assert otherwise == ([told] if told else [])
    assert ("by other criteria the order is another" in words(sentences).split(". ")[0]) == bool(told)


def test_where_numbers_mean_little_a_banner_says_so_and_no_verdict_is_a_badge(tmp_path: Path) -> None:
    spec = write_study(tmp_path)
    spec["scale"] = spec["scale"] | {"demonstration": True}
    text = rendered(tmp_path, spec)
    said = words(text)
    assert said.index("A demonstration.") < said.index("In short", said.index("A demonstration."))
    assert 'class="chip' not in text
    assert "does not hold" in said  # the verdicts can be read, in plain words
    assert "Of the paper’s 3 claims" not in said
    table = pandas.read_csv(tmp_path / "claims.csv")
    pages = [
        claims_page.page(
            table,
            {"scale": spec["scale"] | {"demonstration": is_one}, "seeds": 1, "papers_claims": True, "datasets": []},
            CLAIMS,
            "docs/claims.md",
        )
        for is_one in (True, False)
    ]
    claims, honest = pages
    assert 'class="chip' not in claims
    assert "A demonstration." in claims
    assert 'class="chip' in honest
    assert "A demonstration." not in honest


def test_the_summary_ranks_no_model_that_failed_a_trust_check(study: tuple[Path, dict[str, Any]], text: str) -> None:
    said = words(text)
    assert "On MNIST , Plain net needed a median change of 0.0123 per pixel" in said
    assert f"Not ranked, because of a failed trust check: {HOSTILE} † ." in said
    results, spec = study
    dataset = files.read(results, spec, TEMPLATE.parent, results).datasets[0]
    checks = [replace(row, passed=False) for row in dataset.trust]
    none, _ = summary.most_and_least_robust(spec["datasets"][0], replace(dataset, trust=checks), 0.9)
    assert "no model passed every trust check" in none


def test_the_summary_counts_attacks_checks_claims_and_seeds(text: str) -> None:
    said = words(text)
    assert "On Own <i>images</i> , Lonely needed a median change of 0.0568 per pixel" in said
    assert "9 of 270 attacks did not fool" in said
    assert f"1 of 45 trust checks failed: the numbers of {HOSTILE} (MNIST) may belong to the attack" in said
    assert "Of the paper’s 3 claims, about these weights 1 holds, 1 does not hold and 1 is undecided" in said
    assert "Each network was trained once: nothing here says how much another training of it would differ." in said


def test_the_summary_says_of_a_network_that_it_cannot_be_so_sure_and_does_not_call_it_robust(
    study: tuple[Path, dict[str, Any]],
) -> None:
    results, spec = study
    material = files.read(results, spec, TEMPLATE.parent, results)
    why = "The network reached at most 0.73 of the required 0.9."
    checks = [
        replace(row, passed=False, why=why) if (row.model, row.check) == ("plain", "confidence_in_reach") else row
        for row in material.datasets[0].trust
    ]
    material = replace(material, datasets=[replace(material.datasets[0], trust=checks), material.datasets[1]])
    told = [words(sentence) for sentence in summary.summary(material, spec)]
    assert f"Plain net (MNIST): {why}" in told
    assert not any("the most robust is" in sentence for sentence in told)


@pytest.mark.parametrize(
    ("given", "seeds", "told"),
    [
        ([], [0, 1], "Each network was trained with 2 seeds."),
        (
            ["lonely"],
            [0],
            "Lonely (Own <i>images</i>) came with its weights, and each other network was trained once: nothing here "
            "says how much another training would differ.",
        ),
        (
            ["lonely"],
            [0, 1, 2],
            "Lonely (Own <i>images</i>) came with its weights: nothing here says how much another training would "
            "differ. Each other network was trained with 3 seeds.",
        ),
        (
            ["plain", "wild", "lonely"],
            [0, 1],
            f"Plain net (MNIST) and {HOSTILE} (MNIST) and Lonely (Own <i>images</i>) came with their weights: nothing "
            "here says how much another training would differ.",
        ),
    ],
)
def test_the_summary_tells_networks_that_were_trained_from_those_that_came_with_their_weights(
    study: tuple[Path, dict[str, Any]], given: list[str], seeds: list[int], told: str
) -> None:
    results, spec = study
    material = files.read(results, spec, TEMPLATE.parent, results)
    spec = copy.deepcopy(spec) | {"seeds": seeds}
    for dataset in spec["config"]["datasets"].values():
        for name in set(given) & set(dataset["models"]):
            dataset["models"][name] = {"factory": "a:b", "weights": "weights.pt"}
    assert words(summary.summary(material, spec)[-1]) == told


@pytest.mark.parametrize(
    ("medians", "told"),
    [
        ({"plain": 0.2, "wild": 0.21}, "The intervals overlap, so it stays open which of"),
        ({"plain": math.inf, "wild": 0.2}, "too many of its images were not fooled"),
        ({"plain": 0.2, "wild": 0.2}, "and <b>"),
        ({"plain": math.nan, "wild": math.nan}, "no image could be attacked"),
    ],
)
def test_the_summary_knows_overlaps_ties_infinite_medians_and_models_that_are_always_wrong(
    study: tuple[Path, dict[str, Any]], medians: dict[str, float], told: str
) -> None:
    results, spec = study
    dataset = files.read(results, spec, TEMPLATE.parent, results).datasets[0]
    table = dataset.tables["robustness"].copy()
    for model, value in medians.items():
        for name, factor in (("", 1), ("_low", 0.9), ("_high", 1.1)):
            table.loc[table["model"] == model, f"median_mean_change{name}"] = value * factor
    changed = files.Dataset("mnist", {"robustness": table}, {}, [], {}, dataset.images)
    assert told in summary.most_and_least_robust(spec["datasets"][0], changed, 0.9)[0]


def test_a_study_without_the_papers_datasets_or_failures_says_so(tmp_path: Path) -> None:
    spec = write_study(tmp_path, censored=0)
    spec |= {"datasets": spec["datasets"][1:], "papers_claims": False}
    claims = tmp_path / "claims.csv"
    claims.write_text(claims.read_text("utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    text = rendered(tmp_path, spec)
    said = words(text)
    Page(text)
    assert "How robust is this image classifier?" in said
    assert "No claims are judged: state your own under claims: in the configuration, as docs/claims.md shows." in said
    assert not re.search("paper’s (. )?claims", said)
    assert "All 15 trust checks passed" in said
    assert "All 90 attacks fooled" in said
    assert "not fooled. Means take" not in said
    for absent in ("believability", "transfer", "targeted", "sensitivity", "comparison", "examples", "others"):
        assert f'id="{absent}"' not in text


def test_claims_of_ones_own_are_not_the_papers(study: tuple[Path, dict[str, Any]]) -> None:
    results, spec = study
    said = words(rendered(results, spec | {"papers_claims": False}))
    assert "Of 3 claims, about these weights 1 holds" in said
    assert "Claims Each claim is read as a statement about numbers" in said
    assert "“It <b>is</b> so.”" not in said
    assert not re.search("paper’s (. )?claims", said)


def test_parts_that_a_study_has_not_are_left_out_and_unknown_figures_are_shown(text: str) -> None:
    present = re.findall(r'<section id="(\w+)"', text)
    assert present == [name for name in study_page.SECTIONS if name not in ("sensitivity", "comparison")]
    assert "something new" in text


@pytest.mark.parametrize("name", ["sensitivity", "comparison", "references"])
def test_optional_tables_are_shown_where_they_are_there(tmp_path: Path, name: str) -> None:
    spec = write_study(tmp_path)
    sweep = {"mnist": {"attacked_images": 10, "alpha": [0.01], "sigma": None}}
    spec["config"]["sensitivity"] = sweep
    spec["datasets"][0]["tables"] = [*spec["datasets"][0]["tables"], name]
    rows = {
        "sensitivity": {"parameter": "alpha", "value": 0.01, "configured": True, "claim": 1, "asks": "a", "low": 1}
        | {"estimate": 1.2345, "high": 2, "unit": "times", "weights_verdict": "holds", "changes": False},
        "comparison": {"attack": "original", "model": "wild", "norm": "l2", "ratio": 1.2345, "ratio_low": 1}
        | {"ratio_high": 2, "median": 1, "success": 1, "both": 3, "only_ours": 0, "only_comparators": 0},
        "references": {"source": "S", "table": "T", "their_attack": "A", "statistic": "mean", "norm": "l2", "low": 1}
        | {"their_value": 1, "model": "plain", "attack": "original", "value": 1.2345, "high": 2, "ratio": 1}
        | {"comparable": "partly", "why": "so"},
    }
    pandas.DataFrame([rows[name]]).to_csv(tmp_path / "mnist" / "tables" / f"{name}.csv", index=False)
    text = rendered(tmp_path, spec)
    Page(text)
    assert 'data-sort="1.2345">1.23<span class="interval">1.00 to 2.00</span>' in text


def test_references_that_no_model_is_like_are_shown_without_values_of_ours(tmp_path: Path) -> None:
    spec = write_study(tmp_path)
    spec["datasets"][0]["tables"] = [*spec["datasets"][0]["tables"], "references"]
    row = {"source": "S", "table": "T", "their_attack": "A", "statistic": "mean", "norm": "l2", "their_value": 0.17}
    row |= {"comparable": "no", "why": "No model of this configuration is like theirs."}
    pandas.DataFrame([row]).to_csv(tmp_path / "mnist" / "tables" / "references.csv", index=False)
    assert "– – 0.170 no No model of this configuration is like theirs." in words(rendered(tmp_path, spec))


def test_figures_are_drawings_in_the_page_and_large_ones_pixels(tmp_path: Path) -> None:
    write_study(tmp_path)
    folder = tmp_path / "mnist" / "figures"
    small = pictures.read_picture(folder, "mean_change")
    kind, _, content = small.address.partition(",")
    assert (kind, base64.b64decode(content).decode()) == ("data:image/svg+xml;base64", SVG)
    assert (small.width, small.height) == (533, 400)  # of 400 × 300 points
    (folder / "mean_change.svg").write_text(SVG + " " * pictures.LARGE, encoding="utf-8")
    large = pictures.read_picture(folder, "mean_change")
    drawing = base64.b64decode(large.address.partition(",")[2]).decode()
    assert "data:image/png;base64," in drawing
    assert len(drawing) < pictures.LARGE


def test_a_figure_on_the_page_is_what_is_drawn_and_its_words_are_its_one_caption(tmp_path: Path) -> None:
    figure = style.blank(3, 2)
    with style.theme():
        figure.subplots().plot([0, 1])
        style.caption(
            figure,
            "A title & more",
            ["What is <seen>.", "", " ".join(["In two lines."] * 9)],
            ["Scale small."],
        )
    style.save(figure, tmp_path / "a.svg", tmp_path / "a.png")
    file = (tmp_path / "a.svg").read_text(encoding="utf-8")
    picture = pictures.read_picture(tmp_path, "a")
    shown = base64.b64decode(picture.address.partition(",")[2]).decode()
    assert picture.title == "A title & more"
    assert picture.sentences == " ".join(["What is <seen>.", *["In two lines."] * 9])
    assert "Scale small" in file
    height, cut = (float(re.search(r'height="([\d.]+)pt"', each)[1]) for each in (file, shown))
    assert cut < height - 30  # the title, two sentences and the settings are beyond its edge
    _, top, wide, high = map(float, re.search(r'viewBox="([^"]*)"', shown)[1].split())
    title = re.search(r'<g id="title">.*?<text [^>]*?y="([\d.]+)"', file, re.DOTALL)
    assert float(title[1]) < top
    assert (picture.width, picture.height) == (round(wide * 4 / 3), round(high * 4 / 3))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mnist/figures/mean_change.png", b"no picture"),
        ("mnist/figures/mean_change.svg", None),
        ("mnist/figures/mean_change.svg", b"<html>"),
        ("mnist/models/wild/seed0/model.json", b"{"),
        ("mnist/attacks/original/wild/seed0/measures.parquet", b"PAR1"),
        ("mnist/attacks/original/wild/seed0/0-10.parquet", None),
        ("mnist/tables/accuracy.csv", None),
    ],
)
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    spec = write_study(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{Path(name).name}.*(run the workflow)"):
        rendered(tmp_path, spec)


def test_the_commit_is_that_of_this_repository_and_of_no_other_around_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=b"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert files.commit(tmp_path) == ""
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "one")
    assert files.commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "copy").mkdir()
    assert files.commit(tmp_path / "copy") == ""


def test_versions_that_differ_between_jobs_are_all_named() -> None:
    stamps = [{"versions": {"torch": version}, "device": "cpu"} for version in ("2.15.0", "2.14.0", "2.15.0")]
    assert files.versions([*stamps, {}]) == [("torch", "2.14.0, 2.15.0")]
    assert files.devices([*stamps, {"versions": {"numpy": "2"}, "device": "gpu"}, {}]) == ["cpu"]


@given(st.text(alphabet="ab*`|\\<>&\"'{}%_", min_size=1, max_size=12))
def test_a_title_in_a_caption_comes_out_as_it_is(title: str) -> None:
    template = "**Of {{ snakemake.config.title }}** and {{ snakemake.wildcards.label }}.\n\nSettings."
    told = caption(template, {"title": title}, label=title)
    assert unescape(str(told.title)) == f"Of {title}"
    assert unescape(str(told.text)) == f" and {title}."
    assert "Settings" not in told.whole


def test_the_markup_of_captions_becomes_html() -> None:
    assert to_html(r"**b** *i* `c_d` \|x\| 1 < 2") == "<b>b</b> <i>i</i> <code>c_d</code> |x| 1 &lt; 2"


def test_every_caption_that_a_figure_or_table_names_is_there() -> None:
    texts = {path.stem for path in (ROOT / "report").glob("*.rst")}
    assert {kind.caption for kind in shown_figures.KINDS.values()} <= texts
    assert set(study_page.OTHERS) | {"models", "robustness", "trust", "claims"} <= texts


@pytest.mark.parametrize("verdict", [HOLDS, FAILS, UNDECIDED, NOT_STUDIED])
def test_each_verdict_has_its_colour_on_both_pages_and_its_sign(verdict: str) -> None:
    for styles in (CLAIMS, ROOT / "report" / "study.css"):
        assert re.search(rf"\.{verdict.replace(' ', '-')}[ ,]", styles.read_text(encoding="utf-8")), styles
    assert f'"{verdict}": "' in (ROOT / "report" / "parts.html.j2").read_text(encoding="utf-8")
