#!/bin/bash
# Two hosts in one machine: two network namespaces with host names of their own, joined by a virtual cable, between
# which Open MPI has TCP only. There a rank reaches the chunk counter only with rank 0's help, so a rank 0 that
# computes without a thought for the others would let them wait. This runs the tests of the chunk queue, which measure
# that wait, and a campaign, whose outcomes have to be those of one rank.
#
# usage: two_hosts.sh MPIEXEC TEST_CHUNK_QUEUE TEST_COMMUNICATOR FLIPSTORM PIPELINE_TESTS
#
# Exit codes: 0 passed, 1 failed, 77 skipped: it takes root, ip (Debian: iproute2) and Open MPI.
set -euo pipefail

skip() { echo "skipped: $*"; exit 77; }

mpiexec=$1 test_chunk_queue=$2 test_communicator=$3 flipstorm=$4 pipeline_tests=$5
((EUID == 0)) || skip "network namespaces take root"
command -v ip >/dev/null || skip "no program 'ip' (Debian: apt install iproute2)"
"$mpiexec" --version 2>/dev/null | grep -q "Open MPI\|OpenRTE" || skip "the options are those of Open MPI's mpirun"

a=flipstorm-$$-a b=flipstorm-$$-b
scratch=$(mktemp -d /tmp/flipstorm-two-hosts.XXXXXX)
netns_was_there=no
if mountpoint -q /run/netns; then netns_was_there=yes; fi
clean_up() {
  ip netns delete "$a" 2>/dev/null || true
  ip netns delete "$b" 2>/dev/null || true
  [[ $netns_was_there == yes ]] || umount /run/netns 2>/dev/null || true  # ip makes it a mount of its own
  rm -rf "$scratch"
}
trap clean_up EXIT

ip netns add "$a" 2>"$scratch/why" || skip "no network namespaces here: $(cat "$scratch/why")"
ip netns add "$b"
# In a chroot whose root is no mount, for one.
ip netns exec "$a" true 2>"$scratch/why" || skip "nothing can be run in a network namespace here: $(cat "$scratch/why")"
ip link add cable netns "$a" type veth peer name cable netns "$b" 2>"$scratch/why" ||
  skip "no virtual network devices here: $(cat "$scratch/why")"
ip -n "$a" address add 192.0.2.1/30 dev cable
ip -n "$b" address add 192.0.2.2/30 dev cable
for host in "$a" "$b"; do
  ip -n "$host" link set lo up
  ip -n "$host" link set cable up
done

# on NAMESPACE HOST COMMAND...: run a command on a host.
cat >"$scratch/on" <<'END'
#!/bin/bash
namespace=$1 host=$2
shift 2
exec ip netns exec "$namespace" unshare --uts sh -c 'hostname "$1"; shift; exec "$@"' sh "$host" "$@"
END
# What mpirun takes for ssh: [OPTIONS] HOST COMMAND...
cat >"$scratch/agent" <<END
#!/bin/bash
while [[ \$1 == -* ]]; do shift; done
shift
exec "$scratch/on" $b host-b sh -c "\$*"
END
chmod +x "$scratch/on" "$scratch/agent"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1 TMPDIR=$scratch
unset SLURM_JOB_ID SLURM_STEP_ID SLURM_NODELIST || true

# on_both RANKS_PER_HOST [MPIRUN OPTIONS] PROGRAM...: run on both hosts.
on_both() {
  local each=$1
  shift
  timeout 240 "$scratch/on" "$a" host-a "$mpiexec" --mca plm rsh --mca plm_rsh_agent "$scratch/agent" \
    --mca oob_tcp_if_include 192.0.2.0/30 --mca btl tcp,vader,self --mca btl_tcp_if_include 192.0.2.0/30 \
    --mca pml ob1 --mca mpi_yield_when_idle 1 --bind-to none --map-by node --oversubscribe \
    --host "192.0.2.1:$each,192.0.2.2:$each" -n $((2 * each)) "$@"
}

echo "== two hosts"
hosts=$(on_both 1 hostname | sort | tr '\n' ' ')
[[ $hosts == "host-a host-b " ]] || { echo "the ranks are on '$hosts'"; exit 1; }

echo "== chunk queue as MPI has it"
on_both 1 "$test_chunk_queue" --gtest_color=no
on_both 2 "$test_chunk_queue" --gtest_color=no
on_both 2 "$test_communicator" --gtest_color=no --gtest_brief=1
if ompi_info --parsable 2>/dev/null | grep -q '^mca:osc:pt2pt:version'; then
  echo "== chunk queue by one-sided communication over TCP"
  on_both 1 --mca osc pt2pt,sm "$test_chunk_queue" --gtest_color=no --gtest_filter='*automatic*' | tee "$scratch/one-sided"
  grep -q "one-sided" "$scratch/one-sided"
fi

echo "== a campaign"
cat >"$scratch/job.toml" <<'END'
[data]
kind = "synthetic"
test_images = 2000
[train]
epochs = 1
[campaign]
scheme = "data_unaware"
limit = 6000
[device]
kind = "cpu"
END
"$flipstorm" train "$scratch/job.toml" --out "$scratch/one" --quiet
model="model.file=$scratch/one/model.h5"
"$flipstorm" inject "$scratch/job.toml" --out "$scratch/one" --set "$model" --quiet
on_both 1 "$flipstorm" inject "$scratch/job.toml" --out "$scratch/two" --set "$model" 2>&1 | tee "$scratch/log"
grep -q "2 rank(s), cpu, 1 thread(s) each on 2 hosts" "$scratch/log"
# "waiting: 0.5 % of the ranks' time for chunks …" of a campaign of seconds. A rank 0 that answers nobody while it
# computes costs the other one half of its time.
share=$(sed -n 's/.*waiting: \([0-9.]*\) % of the ranks.*/\1/p' "$scratch/log")
awk -v share="$share" 'BEGIN { exit !(share != "" && share < 15) }' ||
  { echo "the ranks waited '$share' % of the time for chunks"; exit 1; }
cd "$pipeline_tests"
/usr/bin/python3 -B -c '
import pathlib, sys, pipeline
one, two = (pathlib.Path(folder) / "campaign.h5" for folder in sys.argv[1:])
pipeline.PipelineTest().assert_same_datasets(two, one)
print("the same outcomes as on one rank")' "$scratch/one" "$scratch/two"
