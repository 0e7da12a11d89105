#!/usr/bin/env python3
"""The documents as far as they can be checked without reading them: test_documents.py [SOURCE_DIR].

Links lead somewhere, what they call a heading is one, the files that examples name are there, and README.md is short.
"""

import pathlib
import re
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
README_BYTES = 12000
ROOMS = "engine|mpi|hdf5_schema|analysis|jobs|slurm|tests"

FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*(\S*)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:(?!\n\n).)+?)(?<!`)\1(?!`)", re.DOTALL)  # within a paragraph
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
# A file of ours, from the top of the repository: not in a build folder, nor in a folder of someone else's.
OUR_FILE = re.compile(rf"(?<![\w./~$}}-])(?:\./)?((?:{ROOMS})/[\w./-]*[\w/-])(?![\w<*{{…])")


class Document:
    """A Markdown file, taken apart into its prose, with blank lines for the rest, and its lines of code."""

    def __init__(self, text):
        prose = []
        self.code = []  # (language, line number, line)
        fence, language = None, ""
        for number, line in enumerate(text.splitlines(), 1):
            mark = FENCE.match(line)
            inside = fence is not None
            if not inside and mark:
                fence, language = mark[1], mark[2]
            elif inside and mark and mark[1].startswith(fence) and not mark[2]:
                fence = None
            elif inside:
                self.code.append((language, number, line))
            prose.append("" if inside or mark else line)
        self.prose = "\n".join(prose)

    def line_of(self, position):
        return self.prose.count("\n", 0, position) + 1

    def links(self):
        prose = CODE_SPAN.sub(lambda span: re.sub(r"[^\n]", " ", span[0]), self.prose)
        for link in LINK.finditer(prose):
            yield self.line_of(link.start()), link[1]

    def anchors(self):
        """Of the headings, as GitHub makes them: lower case, no punctuation, hyphens for blanks, equals numbered."""
        found = {}
        for line in self.prose.splitlines():
            heading = HEADING.match(line)
            if not heading:
                continue
            text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])  # of a link its text
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            times = found.get(anchor, 0)
            found[anchor] = times + 1
            if times:
                found[f"{anchor}-{times}"] = 1
        return set(found)

    def named_files(self):
        for language, number, line in self.code:
            if language in ("bash", "sh", "console", "toml"):
                for name in OUR_FILE.findall(line):
                    yield number, name
        for span in CODE_SPAN.finditer(self.prose):
            for name in OUR_FILE.findall(span[2]):
                yield self.line_of(span.start()), name


def documents():
    """All Markdown files: those that git knows, or, without git, those outside of build folders."""
    done = subprocess.run(
        ["git", "-C", str(SOURCE), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        capture_output=True, check=False,
    )
    if done.returncode == 0:
        files = [SOURCE / name for name in done.stdout.decode().split("\0") if name]
    else:
        files = [f for f in SOURCE.rglob("*.md") if not f.relative_to(SOURCE).parts[0].startswith(("build", "out", "."))]
    return {file: Document(file.read_text(encoding="utf-8")) for file in sorted(files) if file.exists()}


class Rules(unittest.TestCase):
    """How this test reads a document."""

    def test_anchors_are_githubs(self):
        text = "# A `b_c`, d: e\n## What's new?\n## What's new?\n```\n# no heading\n```\n### [x y](z.md) – 1/2\n"
        self.assertEqual(Document(text).anchors(), {"a-b_c-d-e", "whats-new", "whats-new-1", "x-y--12"})

    def test_links_in_code_are_none(self):
        text = "[a](b.md) `[c](d.md)` ![e](f.png)\n```\n[g](h.md)\n```\n[i\nj](k.md) `l\nm` `n](o.md)`\n"
        self.assertEqual(list(Document(text).links()), [(1, "b.md"), (1, "f.png"), (6, "k.md")])

    def test_files_of_ours(self):
        text = (
            "```bash\nbash tests/run.sh -L unit; build/jobs/flipstorm jobs/a.toml --out out/jobs/x\n```\n"
            "```python\ntests/none.py\n```\n`analysis/b.hpp` jobs/prose `jobs/examples/*.toml`\n"
        )
        names = [name for _, name in Document(text).named_files()]
        self.assertEqual(names, ["tests/run.sh", "jobs/a.toml", "analysis/b.hpp", "jobs/examples"])


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.documents = documents()

    def check(self, problems):
        self.assertEqual(problems, [], "\n" + "\n".join(problems))

    def test_every_room_has_one(self):
        rooms = {"hdf5_schema": "SCHEMA.md", "tests": "RESULTS.md"}
        for room in ROOMS.split("|"):
            self.assertIn(SOURCE / room / rooms.get(room, "README.md"), self.documents)

    def test_links_lead_somewhere(self):
        problems = []
        for file, document in self.documents.items():
            for number, target in document.links():
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue  # to somewhere else
                path, _, anchor = target.partition("#")
                where = f"{file.relative_to(SOURCE)}:{number}: {target}"
                aim = (file.parent / path).resolve() if path else file
                if not aim.exists() or SOURCE not in aim.parents:
                    problems.append(f"{where}: there is no such file")
                elif anchor and (aim not in self.documents or anchor not in self.documents[aim].anchors()):
                    problems.append(f"{where}: there is no such heading")
        self.check(problems)

    def test_files_in_examples_are_there(self):
        self.check([
            f"{file.relative_to(SOURCE)}:{number}: there is no {name}"
            for file, document in self.documents.items()
            for number, name in document.named_files()
            if not (SOURCE / name).exists()
        ])

    def test_readme_is_short(self):
        size = (SOURCE / "README.md").stat().st_size
        self.assertLessEqual(size, README_BYTES, "README.md is the way in: what is long has a place beside its room")


if __name__ == "__main__":
    unittest.main()
