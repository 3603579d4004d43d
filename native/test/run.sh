#!/bin/sh
# Compiles the kernels, the thread pool and their tests and runs them; needs nothing but a C++ compiler.
#   run.sh                  the thread pool and the queue, then every kernel against plain loops in double, for each
#                           instruction set this machine has
#   run.sh --bench [WORD]   times, GFLOP/s and share of the FMA peak measured in the same run
# For another processor CXX names a cross compiler, and EMULATOR what runs its programs here.
set -e
native=$(cd "$(dirname "$0")/.." && pwd)
out=${BUILD_DIR:-$native/../build/kernels-test}
mkdir -p "$out"
case $(${CXX:-g++} -dumpmachine) in
  x86_64*) avx512="-mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma" avx2="-mavx2 -mfma" ;;
esac
src=$native/src
objects=""
threads=""
newest_header=$(ls -t "$src"/*/*.h "$native"/test/*.h 2>/dev/null | head -1)
for source in "$src"/runtime/isa.cc "$src"/runtime/threads.cc "$src"/runtime/queue.cc "$src"/microkernels/*.cc \
  "$src"/kernels/gemm.cc "$src"/conv/*.cc "$native"/test/*.cc; do
  object=$out/$(basename "$source" .cc).o
  case $source in
    */kernels.cc) continue ;; # what binds convolutions to programs
    */threads.cc) objects="$objects $object" threads="$threads $object" ;;
    */queue.cc | */threads_test.cc) threads="$threads $object" ;;
    *) objects="$objects $object" ;;
  esac
  if [ "$object" -nt "$source" ] && [ "$object" -nt "$newest_header" ]; then continue; fi
  case $source in
    */avx512.cc) flags=$avx512 ;;
    */avx2.cc) flags=$avx2 ;;
    *) flags="" ;;
  esac
  echo "compiling $(basename "$source")" >&2
  ${CXX:-g++} -std=c++17 -O3 -Wall -Wextra -I"$src" $flags -c "$source" -o "$object"
done
${CXX:-g++} $objects -pthread -o "$out/kernels_test"
${CXX:-g++} $threads -pthread -o "$out/threads_test"
[ "$1" = --bench ] || $EMULATOR "$out/threads_test"
exec $EMULATOR "$out/kernels_test" "$@"
