#!/bin/sh
# Runs the tests of the native code where every access is watched. Any report fails. Needs g++ and its sanitizers, Linux.
#   sanitize.sh            both
#   sanitize.sh address    the addon with AddressSanitizer and UndefinedBehaviorSanitizer, under the native and the
#                          conformance tests; built into build/sanitize
#   sanitize.sh thread     the thread pool and the queue with ThreadSanitizer
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/build/sanitize
export CXX="${CXX:-g++}"
mkdir -p "$out"

# library NAME: where the compiler has it.
library() {
  command -v "${CXX%% *}" >/dev/null || { echo "sanitize: there is no ${CXX%% *}; on Debian: apt-get install g++" >&2; exit 1; }
  file=$($CXX -print-file-name="$1.so")
  if [ ! -e "$file" ]; then
    echo "sanitize: $CXX has no $1; on Debian it comes with g++ (libgcc-*-dev), on Fedora: dnf install $1" >&2
    exit 1
  fi
  echo "$file"
}

thread() {
  library libtsan >/dev/null
  $CXX -std=c++17 -O1 -g -Wall -Wextra -fsanitize=thread -I"$root/native/src" "$root"/native/src/runtime/threads.cc \
    "$root"/native/src/runtime/queue.cc "$root"/native/test/threads_test.cc -pthread -o "$out/threads_test"
  # Where the system scatters memory widely ThreadSanitizer finds no room for its own.
  scatter=$(command -v setarch || true)
  TSAN_OPTIONS=halt_on_error=1 ${scatter:+"$scatter" "$(uname -m)" -R} "$out/threads_test"
}

address() {
  preload=$(library libasan)
  library libubsan >/dev/null
  node "$root/native/build.mjs" --sanitize
  rm -f "$out"/report.*
  status=0
  # Node's own memory at its end is not ours to judge.
  watched() {
    LETHE_ADDON="$out/lethe.node" LETHE_REQUIRE_CPU=1 LETHE_MUTATIONS="${LETHE_MUTATIONS:-10000}" LD_PRELOAD="$preload" \
      ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0:log_path=$out/report" \
      UBSAN_OPTIONS="print_stacktrace=1:log_path=$out/report" \
      node "$root/node_modules/vitest/vitest.mjs" run --root "$root" --testTimeout 600000 "$@" || status=1
  }
  watched test/native --exclude test/native/build.test.ts
  watched test/conformance -t cpu
  for report in "$out"/report.*; do
    [ -e "$report" ] || continue
    # A test asks for more than any machine has, and is refused.
    grep -v 'WARNING: AddressSanitizer failed to allocate' "$report" && status=1
  done
  [ "$status" -eq 0 ] || { echo "sanitize: faults were found, or tests failed" >&2; exit 1; }
}

case ${1:-all} in
  all) thread && address ;;
  thread) thread ;;
  address) address ;;
  *) echo "usage: sanitize.sh [thread|address]" >&2; exit 1 ;;
esac
echo "sanitize: no report"
