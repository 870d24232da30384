#!/usr/bin/env bash
# Everything that wants a GPU, most valuable first; each part leaves its JSON in OUT and is skipped where that is there.
# A command that is cut off goes on where it was: pre-training from its last epoch, heads and AutoAttack from theirs.
#
#   benchmarks/gpu.sh IMAGES OUT [CHECKOUT]
#
# IMAGES: a folder of CIFAR-10's train/CLASS and test/CLASS. CHECKOUT: softsys4ai/CF-AMC-SSL, for the step beside the
# released one. PARTS="released recipe" runs those alone; SET="--set optimiser.epochs=1" changes every recipe, and
# SEARCH="--set budget.gpu_hours=1" the search.
set -ufo pipefail  # no globbing: settings have brackets
images=$(realpath "$1") out=$(realpath -m "$2") checkout=${3:+$(realpath "$3")}
cd "$(dirname "$0")/.."
parts=${PARTS:-step released recipe startup sharing evaluation scaling rows search longest}
python=${PYTHON:-python3} recipe=table1/cf_amc_ssl failed=0
fast="--set compute.precision=bfloat16 --set compute.compile=true --set evaluation.attack_precision=bfloat16"
fast="$fast --set evaluation.auto_attack_precision=tf32 ${SET:-}"
data=(--set "data.source=folder:$images")
attacks='--set evaluation.attacks=["pgd","auto_attack"]'
mkdir -p "$out"

measure() { # NAME COMMAND...: unless it is there, and whole or not at all
  local name=$1 began=$SECONDS
  shift
  [ -s "$out/$name.json" ] && return
  if "$@" > "$out/$name.part" 2>> "$out/$name.log"; then
    mv "$out/$name.part" "$out/$name.json"
    echo "$name: $((SECONDS - began)) s"
  else
    failed=1
    echo "$name failed after $((SECONDS - began)) s; the end of $out/$name.log:" >&2
    tail -n 5 "$out/$name.log" >&2
  fi
}
row() { # NAME RECIPE SETTING...: pre-trained, attacked, its checkpoint kept
  local name=$1 of=$2
  shift 2
  measure "$name" "$python" -m trainables "$of" "${data[@]}" $fast $attacks "$@" --checkpoint "$out/$name.pt"
}
search() { # and its frontier, confirmed; where that ended early, it is gone on with
  local here="--backend inline --offline"
  export ROBUST_SSL_STUDIES=$out/studies
  if [ -e "$out/studies/gpu-search/study.yaml" ]; then "$python" -m study resume gpu-search --backend inline
  else "$python" -m study launch benchmarks/search.yaml $here --set "settings.data.source=folder:$images" ${SEARCH:-}; fi >&2 &&
    "$python" -m study confirm gpu-search --seeds 3 --limit 3 $here >&2 &&
    "$python" -m study front gpu-search-confirmed --json
}

for part in $parts; do
  case $part in
    released) # at least 200 steps of each; what the step before it compiled is there
      [ -n "$checkout" ] || { echo "released needs a CHECKOUT" >&2; failed=1; continue; }
      measure released "$python" -m benchmarks.released --reference "$checkout" --images 100 --steps 200 --compile ;;
    recipe) row cf_amc_ssl $recipe ;;
    step) # as it is, and where cuDNN tries its algorithms first
      measure step "$python" -m benchmarks.step $recipe $fast
      measure step-tried "$python" -m benchmarks.step $recipe $fast --cudnn-benchmark ;;
    scaling)
      measure step-views "$python" -m benchmarks.step $recipe $fast --over views.number=4,16 --over adversary.replays=1,3
      measure step-network "$python" -m benchmarks.step $recipe $fast --over optimiser.batch_size=50,100 \
        --over network.architecture=resnet18,resnet50 ;;
    evaluation) # stage by stage; AutoAttack on all images is in the recipe's row
      [ -s "$out/cf_amc_ssl.json" ] || { echo "evaluation needs the part recipe before it" >&2; failed=1; continue; }
      measure evaluation "$python" -m benchmarks.evaluation $recipe "${data[@]}" $fast $attacks \
        --set evaluation.auto_attack_images=1000 --checkpoint "$out/cf_amc_ssl.pt" ;;
    startup) # its trial is a short one, of batches as large as the recipe's
      measure startup "$python" -m benchmarks.startup $recipe "${data[@]}" $fast --set data.train_images=5000 \
        --set optimiser.epochs=1 --set evaluation.images=1000 --set evaluation.head_epochs=1 ;;
    sharing)
      measure sharing "$python" -m benchmarks.sharing $recipe $fast --processes 1,2,4 --seconds 10 --repeats 2 ;;
    rows)
      row emp_ssl table2/emp_ssl
      for name in simclr_free pgd_emp_ssl patch_cf_amc_ssl patch_pgd_emp_ssl; do row $name table1/$name; done
      row cf_amc_ssl_released_code $recipe --set faithful_to=released_code ;;
    search) measure search search ;;
    longest) for name in patch_robust_simclr robust_simclr; do row $name table1/$name; done ;;
    *) echo "no part $part" >&2; exit 2 ;;
  esac
done
exit $failed
