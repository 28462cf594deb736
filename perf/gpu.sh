#!/usr/bin/env bash
# What only a machine with Nvidia's GPUs can show, in one run, as one report to send in.
#
#   perf/gpu.sh [PHOTOS]     PHOTOS: a folder of photos, the more the better (default: tests/photos)
#
# Needs Linux, Python 3.11 to 3.13 and Nvidia's driver. It makes an environment in build/gpu with
# `pip install '.[tensorflow-cuda,test]'` (some 4 GB to download), runs the tests that are marked
# `gpu`, and measures a training step, what feeds it, and its memory beside the memory that
# `reiqa pretrain --plan` counts; PyTorch's step stands beside ours where PyTorch is installed.
# Takes about half an hour and writes gpu_report.md. Photos are read here and stay here.
#
#   REPORT=file.md           where the report is written
#   ENVIRONMENT=.venv        an environment that is there, instead of a new one
#   TORCH=1                  also install PyTorch, to compare with
#
# Without a GPU it does the same in miniature, to show that it works, and says so in its last line.
set -uo pipefail
cd "$(dirname "$0")/.."

photos=${1:-tests/photos}
report=${REPORT:-gpu_report.md}
environment=${ENVIRONMENT:-build/gpu}
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}

[ -d "$photos" ] || { echo "gpu.sh: expected a folder of photos. Received: $photos" >&2; exit 2; }

if [ ! -x "$environment/bin/python" ]; then
  echo "gpu.sh: installing into $environment" >&2
  "${PYTHON:-python3}" -m venv "$environment" \
    && "$environment/bin/pip" install --quiet --editable '.[tensorflow-cuda,test]' \
    || { echo "gpu.sh: the environment could not be made; see above" >&2; exit 1; }
fi
bin=$environment/bin
if [ -n "${TORCH:-}" ]; then
  "$bin/pip" install --quiet torch || echo "gpu.sh: PyTorch could not be installed" >&2
fi

gpus=$("$bin/python" -c '
import tensorflow as tf
print(len(tf.config.list_physical_devices("GPU")))
' 2> /dev/null)
[ -n "$gpus" ] || { echo "gpu.sh: TensorFlow does not start in $environment" >&2; exit 1; }

failed=0
noise='^[IW][0-9][0-9][0-9][0-9] .*[]]\|absl::InitializeLog' # what TensorFlow says of itself when it starts

# section TITLE COMMAND...: its output becomes a part of the report.
section() {
  local title=$1
  shift
  echo "gpu.sh: $title" >&2
  {
    printf '\n## %s\n\n```text\n$ %s\n' "$title" "$*"
    "$@" 2>&1 | grep -v "$noise"
    code=${PIPESTATUS[0]}
    [ "$code" = 0 ] || { echo "(ended with exit code $code)" && failed=1; }
    printf '```\n'
  } >> "$report"
}

machine() {
  date -u +%Y-%m-%d
  git describe --always --dirty 2> /dev/null
  uname -srm
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2> /dev/null \
    || echo "no GPU: nvidia-smi does not run"
  grep -m 1 'model name' /proc/cpuinfo
  echo "cores: $(nproc), memory: $(awk '/MemTotal/ {printf "%.0f GB", $2 / 1e6}' /proc/meminfo)"
  "$bin/python" -c '
import keras, sys, tensorflow as tf
build = tf.sysconfig.get_build_info()
print("Python", sys.version.split()[0], "TensorFlow", tf.__version__, "Keras", keras.__version__)
print("CUDA", build.get("cuda_version"), "cuDNN", build.get("cudnn_version"))
'
}

# The tests hide GPUs from TensorFlow, unless they are named.
tests() {
  local named
  named=$(seq -s , 0 $((gpus > 0 ? gpus - 1 : 0)))
  CUDA_VISIBLE_DEVICES=$named "$bin/python" -m pytest -q -m gpu -p no:cacheprovider tests/gpu
}

printf '# reiqa_tf on a GPU\n\n%s GPUs were found.\n' "$gpus" > "$report"
section "Machine" machine
section "Tests" tests
if [ "$gpus" -gt 0 ]; then
  for precision in float32 bfloat16; do
    for pairs in 32 128; do
      section "ResNet-50, 160 px, $pairs pairs, $precision" "$bin/python" perf/pretraining.py step \
        --device GPU --pairs "$pairs" --steps 20 --precision "$precision"
    done
  done
  section "Data and step" "$bin/python" perf/pretraining.py data "$photos" --device GPU \
    --config quality_lite0_small --steps 10
  section "Plan of the published run" "$bin/reiqa" pretrain "$photos" --plan \
    --config quality_resnet50 --replicas "$gpus" --set "batch_size=$((gpus * 64))"
else
  section "A step in miniature" "$bin/python" perf/pretraining.py step \
    --config smoke --pairs 8 --steps 2
  section "A plan in miniature" "$bin/reiqa" pretrain "$photos" --plan --config smoke \
    --set parts=1 --pairs-per-core 10 --pairs-per-second 100
fi

[ "$failed" = 0 ] || echo "gpu.sh: something failed; $report says what" >&2
if [ "$gpus" -gt 0 ]; then
  echo "gpu.sh: $gpus GPUs; please send in $report"
else
  echo "gpu.sh: no GPU was found; $report shows that the script works, and nothing else"
fi
exit "$failed"
