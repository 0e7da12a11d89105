#!/usr/bin/python3
"""How much does the screen save and what does it miss, for several kappa and tau? Prints a Markdown table.

usage: screen_study.py FLIPSTORM JOB.toml[:FAULTS[:IMAGES]] ... [--kappa 1,3,8] [--tau 0.5,2,8] [--audit 0.1]

FAULTS per layer (300) of each job's own sample are evaluated on its first IMAGES test images (1,000), screened, by
`flipstorm bench`: once with next to no audit, which shows the share of pairs that are left to compute, and once with the
share AUDIT of the screened pairs computed to the end all the same, which shows what is missed. The models must be there.
"""
import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("flipstorm")
parser.add_argument("jobs", nargs="+", metavar="JOB.toml[:FAULTS[:IMAGES]]")
numbers = lambda text: [float(x) for x in text.split(",")]
parser.add_argument("--kappa", type=numbers, default=[1, 3, 8])
parser.add_argument("--tau", type=numbers, default=[0.5, 2, 8])
parser.add_argument("--audit", type=float, default=0.1)
arguments = parser.parse_args()


def measure(job, faults, images, kappa, tau, audit):
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "bench.json"
        command = [arguments.flipstorm, "bench", job, "--quiet", "--modes", "screened", "--faults", faults,
                   "--seconds", "1e6", "--json", str(result)]
        # A bound of 1: the share of audits is what is asked for.
        for key, value in {"data.test_images": images, "campaign.kappa": kappa, "campaign.tau": tau,
                           "campaign.audit_share": audit, "campaign.screen_bound": 1.0}.items():
            command += ["--set", f"{key}={value}"]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{run.stdout}")
        return json.loads(result.read_text())["modes"][0]


print("| job | κ | τ | faults | pairs | screened % | of it later % | left % | audited | missed |")
print("|---|---|---|---|---|---|---|---|---|---|")
for spec in arguments.jobs:
    job, faults, images = (spec.split(":") + ["300", "1000"][spec.count(":"):])[:3]
    for kappa, tau in itertools.product(arguments.kappa, arguments.tau):
        mode = measure(job, faults, images, kappa, tau, 1e-9)
        audited = measure(job, faults, images, kappa, tau, arguments.audit)
        share = lambda what: 100 * mode[what] / mode["pairs"]
        print(f"| {pathlib.Path(job).stem} | {kappa:g} | {tau:g} | {mode['faults']:,} | {mode['pairs']:,} "
              f"| {share('screened') + share('rescreened'):.2f} | {share('rescreened'):.2f} "
              f"| {share('finished'):.2f} | {audited['audited']:,} | {audited['disagreements']} |", flush=True)
