"""Attack one model on one range of test images: a shard.

Reads weights and only its rows of the prepared test images; writes one record per image and required confidence (how
the attack ended) and the images at that point. A killed shard continues from the state that it saved last; on SIGTERM
it saves its state and ends.

Where attacks differ only in the reward, the first job computes the other attacks along on its range, and leaves each
attack's state where its own job looks for it. That job then has nothing to evaluate, and writes its files.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robustness.attacks.batch_size import fitting_batch_size
from robustness.attacks.iterated_sign import AttackResult, Partner, attack
from robustness.attacks.spec import AttackSpec, read_spec
from robustness.attacks.state import Store
from robustness.compute import devices
from robustness.data.pixels import from_bytes
from robustness.errors import UserError
from robustness.models import weights
from robustness.models.frozen import frozen
from robustness.outcome import NUMBERED
from robustness.runtime import preemption
from robustness.runtime.cli import parser, run, settings
from robustness.runtime.progress import Progress
from robustness.runtime.turns import one_at_a_time
from robustness.storage.columns.attack import AttackRecords
from robustness.storage.identity import Identity, add_options, contents
from robustness.storage.provenance import code_digest, digest_of, file_digest, stamp
from robustness.storage.records import read_header, write_records
from robustness.storage.tensors import read_tensors, write_tensors


def arguments() -> argparse.ArgumentParser:
    result = parser(__doc__)
    result.add_argument("--weights", type=Path, required=True, metavar="FILE")
    result.add_argument("--test", type=Path, required=True, metavar="FILE")
    result.add_argument("--start", type=int, required=True, help="first test image")
    result.add_argument("--stop", type=int, required=True, help="one past the last test image")
    result.add_argument("--records", type=Path, required=True, metavar="FILE")
    result.add_argument("--adversarial", type=Path, required=True, metavar="FILE")
    result.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="where the state is saved")
    result.add_argument("--save-every", type=float, default=60.0, metavar="SECONDS")
    result.add_argument(
        "--partners",
        type=json.loads,
        default=[],
        metavar="JSON",
        help="attacks that differ only in the reward: spec, records and checkpoint of their jobs; changes no result",
    )
    add_options(result, "dataset", "model", "attack", "seed")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--batch-size", type=int, help="images attacked at a time; changes no result")
    return result


def main(options: argparse.Namespace) -> None:
    title, seed, values = settings(options.spec, "title", "seed", "attack")
    title = f"{title}, test images {options.start} to {options.stop - 1}"
    pixels, labels = read_tensors(options.test, "images", "labels", rows=slice(options.start, options.stop))
    image_ids = torch.arange(options.start, options.stop)
    with (
        one_at_a_time(_turn(options) if options.partners else None),
        devices.leased(options.threads) as device,
        preemption.noticed(),
    ):
        network = weights.load(options.weights)
        spec = read_spec(values, weights.classes(options.weights), title)
        model = frozen(network, device)
        batch_size = options.batch_size or fitting_batch_size(model, pixels.shape[1:], spec, device)
        digests = (code_digest(), file_digest(options.weights), file_digest(options.test), device.type)

        def store_of(spec: Mapping[str, Any], checkpoint: Path) -> Store:
            return Store(checkpoint, digest_of(spec, *digests), options.save_every)

        store = store_of(options.spec, options.checkpoint)
        partners = [
            Partner(
                read_spec(job["spec"]["attack"], weights.classes(options.weights), job["spec"]["title"]),
                store_of(job["spec"], Path(job["checkpoint"])),
            )
            for job in options.partners
            if not _is_done(job, options)
        ]
        counts: Counter[str] = Counter()
        with Progress(title, len(labels) * (1 + len(partners)), "images") as progress:

            def show(outcomes: torch.Tensor) -> None:
                counts.update(NUMBERED[number] for number in outcomes.tolist())
                progress.advance(len(outcomes), ", ".join(f"{count} {name}" for name, count in counts.items()))

            result = attack(
                model,
                torch.from_numpy(from_bytes(pixels)).to(device),
                torch.from_numpy(labels).to(device),
                image_ids.to(device),
                spec,
                seed=seed,
                batch_size=batch_size,
                title=title,
                progress=show,
                store=store,
                partners=partners,
            )
        made_from = contents(weights=options.weights, test=options.test)
        header = Identity.of(options).header(stamp(options.spec, devices.describe(device)), made_from)
        columns = _columns(result, spec, image_ids.numpy(), labels)
        write_records(options.records, columns.by_name(), header)
        write_tensors(
            options.adversarial,
            {
                "image": columns.image,
                "required_confidence": columns.required_confidence,
                "adversarial": result.adversarial.flatten(0, 1).numpy(),
            },
            header,
        )
        store.remove()


def _turn(options: argparse.Namespace) -> Path:
    """Return the file that gives jobs that would compute the same attacks their turns."""
    files = sorted([str(options.checkpoint), *(job["checkpoint"] for job in options.partners)])
    return Path(f"{files[0]}.lock")


def _is_done(job: Mapping[str, Any], options: argparse.Namespace) -> bool:
    """Return whether a partner's records are up to date, as Snakemake sees it: no job would use its state."""
    records = Path(job["records"])
    try:
        provenance = read_header(records).get("provenance", {})
    except UserError:  # missing or damaged
        return False
    same = (provenance.get("spec"), provenance.get("code")) == (job["spec"], code_digest())
    return same and records.stat().st_mtime >= max(path.stat().st_mtime for path in (options.weights, options.test))


def _columns(
    result: AttackResult, spec: AttackSpec, image_ids: NDArray[np.int64], labels: NDArray[np.int64]
) -> AttackRecords:
    """One row per image and required confidence, image by image."""
    levels = len(spec.levels)
    return AttackRecords(
        image=image_ids.repeat(levels),
        label=labels.repeat(levels),
        required_confidence=np.tile(spec.levels, len(labels)),
        label_before=result.label_before.numpy().repeat(levels),
        label_after=result.label_after.flatten().numpy(),
        confidence_after=result.confidence_after.flatten().numpy(),
        ended=[NUMBERED[number] for number in result.outcome.flatten().tolist()],
        iterations=result.iterations.flatten().numpy(),
        zero_gradients=result.zero_gradients.flatten().numpy(),
        scale=result.scale.flatten().numpy(),
        target=result.target.numpy().repeat(levels),
    )


if __name__ == "__main__":
    run(main, arguments())
