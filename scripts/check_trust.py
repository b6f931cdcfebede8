"""Check whether what the attacks found about one model can be trusted.

Reads weights, the test images, the measures and the images of the paper's attack and of the attack that it is compared
with, and, where AutoAttack is used, its records and the measures of all our attacks; writes a CSV with one row per
check. A check that fails is a result: it does not make the script fail.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from robustness.attacks.batch_size import fitting_batch_size
from robustness.attacks.spec import read_spec
from robustness.compute import devices
from robustness.config.threat_models import NORM_OF_STEPS
from robustness.models import weights
from robustness.models.frozen import frozen
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.storage.atomic import write_text
from robustness.storage.grouping import check_made_from, check_rows, grouped, one_for_each
from robustness.storage.identity import contents
from robustness.storage.records import read_arrays
from robustness.storage.tensors import read_tensors
from robustness.trust import checks as trust_checks
from robustness.trust import questions
from robustness.trust.bounded import as_strong_as_autoattack
from robustness.trust.evidence import Records, Subject, gathered

_LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--adversarial", type=Path, nargs="+", required=True, metavar="FILE", help="attacks × shards")
    result.add_argument("--bounds", type=Path, nargs="*", default=[], metavar="FILE", help="AutoAttack's shards")
    result.add_argument("--measures", type=Path, nargs="+", required=True, metavar="FILE", help="one per attack")
    result.add_argument("--table", type=Path, required=True, metavar="CSV")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--batch-size", type=int, help="images evaluated at a time; changes no result")
    return result


def main(options: argparse.Namespace) -> None:
    names = ("model", "seed", "attack", "attacks", "measured", "images")
    model, seed, entry, attacks, measured, images = settings(options.spec, *names)
    title = f"trust checks of {model}, seed {seed}"
    keys = ("model", "seed", "attack")
    measures_of = one_for_each(options.measures, *keys, expected=[(model, seed, name) for name in measured])
    images_of = grouped(options.adversarial, *keys, expected=[(model, seed, name) for name in attacks], shards=True)
    for key, paths in images_of.items():
        check_rows(measures_of[key], *paths)
    measures: dict[str, Records] = {name: read_arrays(measures_of[model, seed, name]) for name in measured}
    adversarial = [path for paths in images_of.values() for path in paths]
    inputs = contents(weights=options.weights, test=options.test)
    check_made_from(inputs, *options.bounds, *measures_of.values())
    with devices.leased(options.threads) as device:
        network = weights.load(options.weights)
        spec = read_spec(entry, weights.classes(options.weights), title)
        attackable = frozen(network, device)
        (shown,) = read_tensors(options.test, "images", rows=slice(1))
        size = options.batch_size or fitting_batch_size(attackable, shown.shape[1:], spec, device)
        subject = Subject(network, attackable, spec, seed, size, title)
        evidence = gathered(options.test, adversarial, {name: measures[name] for name in attacks}, spec, images, device)
        total = trust_checks.evaluations(subject, evidence)
        with Progress(title, total, "evaluations") as progress, progress.counting(attackable):
            checks = trust_checks.all_checks(subject, evidence)
    if options.bounds and evidence.attacked:
        of_model = grouped(options.bounds, "model", "seed", expected=[(model, seed)], shards=True)[model, seed]
        checks.append(
            as_strong_as_autoattack(read_arrays(*of_model), list(measures.values()), NORM_OF_STEPS[spec.direction])
        )
    for name in questions.QUESTIONS.keys() - {check.name for check in checks}:
        _LOG.info("%s is left out", name)
    for check in checks:
        _LOG.info("%s %s. %s", check.name, "passed" if check.passed else "FAILED", check.why)
    write_text(options.table, questions.as_csv(questions.rows(checks, model, seed)))


if __name__ == "__main__":
    run(main, arguments())
