#!/usr/bin/env bash
# Runs the paper's experiment at full size on one GPU machine without a network. The same command continues it.
#
#   tools/paper_scale.sh --wheels FOLDER --mirror FOLDER --cifar ARCHIVE [--output FOLDER] [--last STAGE] [--plan]
#
# Needs Linux and Python 3.11 or newer, with pip and torch (2.8 or newer); PYTHON names it (default: python3).
# Reads the wheels of tools/collect_wheels.py, MNIST's four files and CIFAR-10 as an archive of JPEG files
# (docs/paper-scale.md). Makes results/paper-venv, an environment that sees the packages of that Python, and installs
# the missing ones there; PyTorch is not changed. Then it computes in an order that leaves something useful whenever it is
# stopped: MNIST, CIFAR-10's ResNet, the deep ResNet, each trained and attacked; then checks, figures and claims.
# After each stage it says how long the stage took, and writes an archive of the small results (pages, tables, figures,
# logs, histories: no weights) into the folder that --output names.
# If a stage fails, the other stages still run, and the command fails at its end.
# With --last it ends after that stage (1 to 7); with --plan it only says what each stage would compute. MORE names more
# overlays (for tests), RESULTS the folder where these put their results; CORES limits the cores; SEEDS is a list as in
# the configuration, such as '[0, 1]' (default: one seed). Paths in options and in PYTHON may be relative to the folder
# where the command is called.
set -euo pipefail
HERE=$PWD
cd "$(dirname "$0")/.."

stop() {
  echo "paper_scale: $*" >&2
  exit 1
}

# from_here PATH: print PATH as the caller means it: relative to the caller's folder, no longer the current folder.
from_here() {
  case $1 in
    '' | /*) echo "$1" ;;
    *) echo "$HERE/$1" ;;
  esac
}

WHEELS='' MIRROR='' CIFAR='' OUTPUT='' LAST=7 PLAN=() QUIET=(rules progress)
while [ $# -gt 0 ]; do
  case $1 in
    --plan)
      PLAN=(--dry-run)
      QUIET=(rules) # what is still printed are the numbers of jobs
      shift
      continue
      ;;
    --wheels) WHEELS=$(from_here "${2:-}") ;;
    --mirror) MIRROR=$(from_here "${2:-}") ;;
    --cifar) CIFAR=$(from_here "${2:-}") ;;
    --output) OUTPUT=$(from_here "${2:-}") ;;
    --last) LAST=${2:-} ;;
    *) stop "unknown option $1; known are --wheels, --mirror, --cifar, --output, --last and --plan" ;;
  esac
  shift $(($# > 1 ? 2 : 1))
done
[ -d "$WHEELS" ] || stop "--wheels must name the folder that tools/collect_wheels.py filled, not '$WHEELS'"
[ -d "$MIRROR" ] || stop "--mirror must name a folder with MNIST's four files, not '$MIRROR'"
[ -f "$CIFAR" ] || stop "--cifar must name an archive of CIFAR-10 as JPEG files, not '$CIFAR'"

[[ $LAST =~ ^[1-7]$ ]] || stop "--last must name a stage from 1 to 7, not '$LAST'"

PYTHON=${PYTHON:-python3}
[[ $PYTHON != */* ]] || PYTHON=$(from_here "$PYTHON") # a name without a slash is looked up in PATH
VENV=results/paper-venv
RESULTS=${RESULTS:-results/paper-jpeg}
SEEDS=${SEEDS:-[0]}
begun=$SECONDS

# ---- Python ---------------------------------------------------------------------------------------------------------

# Ignores the machine's files and variables for pip: vendors' containers pin versions for every call (PIP_CONSTRAINT).
pip() {
  PIP_CONFIG_FILE=/dev/null "$PYTHON" -m pip --isolated "$@"
}
if [ ! -e "$VENV/installed" ]; then
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "'$PYTHON' is older than Python 3.11"
  "$PYTHON" -c 'import torch' || stop "'$PYTHON' cannot import torch: name the Python that can, as in PYTHON=/opt/…/python3"
  pip --version >/dev/null || stop "'$PYTHON' has no pip"
fi

# Children inherit the lock: it is also held by a run that has outlived this script.
mkdir -p results
exec 9>results/.paper-scale.lock
flock -n 9 || stop "this study is already being computed in this folder: wait until it ends, or end it"

if [ ! -e "$VENV/installed" ]; then
  rm -rf "$VENV"
  "$PYTHON" -m venv --without-pip "$VENV"
  # Not --system-site-packages: it misses the packages of a Python that is itself an environment, as the given one may be.
  "$PYTHON" - "$VENV" <<'PY'
import site, sys, sysconfig
from pathlib import Path

folders = dict.fromkeys([*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")])
listed = [folder for folder in [*sys.path, *folders] if folder.endswith("-packages") and Path(folder).is_dir()]
(target,) = Path(sys.argv[1]).glob("lib/python*/site-packages")
(target / "beside.pth").write_text("\n".join(dict.fromkeys(listed)) + "\n", encoding="utf-8")
PY
  pip --python "$VENV/bin/python" install --quiet --no-index --find-links "$WHEELS" \
    --disable-pip-version-check --no-warn-conflicts -r tools/paper_scale.txt ||
    stop "pip failed, for the reason above; where it found no version, the wheels in $WHEELS do not suffice: collect" \
      "them for this Python, without fewer packages"
  touch "$VENV/installed"
fi
python=$VENV/bin/python
gpus=$(
  "$python" - <<'PY'
import os, platform, sys
import torch

gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
machine = f"{os.cpu_count()} cores, GPU: {gpus or 'none'}"
print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, {machine}", file=sys.stderr)
if not gpus:
    print("Without a GPU this takes weeks.", file=sys.stderr)
print(len(gpus))
PY
)

# ---- stages ---------------------------------------------------------------------------------------------------------

# Settings go into a file, since lists on Snakemake's command line hold only text.
settings=results/paper-run.yaml
"$python" - "$settings" "$MIRROR" "$CIFAR" "$SEEDS" <<'PY'
import json, sys
from pathlib import Path

target, mirror, cifar, seeds = sys.argv[1:]
sources = {"cifar-jpeg": {"path": str(Path(cifar).resolve())}}
chosen = {"mirror": str(Path(mirror).resolve()), "seeds": json.loads(seeds), "sources": sources}
chosen["shard_images"] = 5000  # fewer jobs to start, where few GPUs share them
Path(target).write_text(json.dumps(chosen), encoding="utf-8")  # JSON is YAML
PY
read -r -a more <<<"${MORE:-}"
read -r -a seeds < <("$python" -c 'import json, sys; print(*json.loads(sys.argv[1]))' "$SEEDS")
# One more job that uses a GPU than there are GPUs: while one computes, the next one starts up and waits.
on_gpu=(train_model import_model evaluate_model attack_shard bound_shard judge_attack transfer_attack attack_targets check_trust)
gpu_jobs=$(((gpus > 0 ? gpus : 1) + 1))
run() {
  "$python" -m snakemake --cores "${CORES:-all}" --keep-going --quiet "${QUIET[@]}" "${PLAN[@]}" \
    --set-resources "${on_gpu[@]/%/:gpu=1}" --resources "gpu=$gpu_jobs" \
    --configfile scales/paper.yaml scales/paper-jpeg.yaml "$settings" "${more[@]}" -- "$@"
}

# kept STAGE: put the small results into one archive: pages below 20 MiB, other files below 2 MiB each. Sizes are in
# KiB, since find rounds sizes up to whole units. Does nothing if there are no results yet.
kept() {
  [ -n "$OUTPUT" ] && [ -z "${PLAN[*]}" ] && [ -d "$RESULTS" ] || return 0
  # Joined by &&, since a shell that tests whether a function succeeds does not stop at errors inside the function.
  mkdir -p "$OUTPUT" &&
    find "$RESULTS" -type f \( -name '*.html' -size -20480k -o -size -2048k \( -name '*.csv' -o -name '*.json' \
      -o -name '*.svg' -o -name '*.png' -o -name '*.log' -o -name '*.tsv' -o -name 'predictions.parquet' \) \) -print0 |
    tar --null --files-from=- -czf "$OUTPUT/$1.tar.gz.part" &&
    mv "$OUTPUT/$1.tar.gz.part" "$OUTPUT/$1.tar.gz"
}

# stage NUMBER-NAME TARGET...: build the targets, unless --last names an earlier stage. A failure stops no other stage.
failed=()
stage() {
  local name=$1 started=$SECONDS
  [ "${name%%-*}" -le "$LAST" ] || return 0
  shift
  echo "== $name"
  if run "$@"; then
    echo "== $name: done in $((SECONDS - started)) s, $((SECONDS - begun)) s since the start"
  else
    echo "== $name: FAILED after $((SECONDS - started)) s: the messages above name the log" >&2
    failed+=("$name")
  fi
  kept "$name" || failed+=("$name-archive")
}

# attacked MODEL: print the files that show how robust one of CIFAR-10's networks is, with each seed.
attacked() {
  local attack data seed
  for data in clean noisy; do
    for seed in "${seeds[@]}"; do
      echo "$RESULTS/cifar/models/$1-$data/seed$seed/predictions.parquet"
      for attack in original strong; do
        echo "$RESULTS/cifar/attacks/$attack/$1-$data/seed$seed/measures.parquet"
      done
    done
  done
}

# Snakemake ends as for any failure on Ctrl-C, and a failure stops no other stage.
trap 'stop "stopped: the same command goes on from there"' INT

# If Snakemake was killed, its lock remains.
if compgen -G ".snakemake/locks/*" >/dev/null; then
  "$python" -m snakemake --unlock --cores 1 --quiet all >/dev/null 2>&1 || true
fi
stage 1-mnist "$RESULTS/mnist/tables/accuracy.csv" "$RESULTS/mnist/tables/robustness.csv"
mapfile -t resnet < <(attacked resnet)
stage 2-cifar-resnet "${resnet[@]}"
mapfile -t deep < <(attacked deep_resnet)
stage 3-cifar-deep-resnet "${deep[@]}" "$RESULTS/cifar/tables/accuracy.csv" "$RESULTS/cifar/tables/robustness.csv"
stage 4-run-time "$RESULTS/run_time"
stage 5-everything-else all
stage 6-run-time-of-all "$RESULTS/run_time"
if [ -z "${PLAN[*]}" ] && [ "$LAST" -ge 7 ]; then
  echo "== 7-training-speed"
  "$python" benchmarks/training.py --configfile scales/paper.yaml "${more[@]}" --table "$RESULTS/run_time/training.csv" ||
    failed+=(7-training-speed)
  kept 7-training-speed || failed+=(7-training-speed-archive)
fi
[ ${#failed[@]} -eq 0 ] || stop "not everything could be made (${failed[*]}): the same command tries the rest again"
echo "== all done, $((SECONDS - begun)) s since the start; results in $RESULTS"
