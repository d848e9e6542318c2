"""Reads the blocks of the guide's pages. docs/guide.md tells its readers the same as this:

```cpp with a main()        a program: built and run; a ```text output block after it is what it prints
```cpp explore with a main() the same, run only where schedules can be explored (WEFT_EXPLORE)
```cpp                      statements inside a process: compiled as the body of a function
```cpp declarations         types and functions: visible to the blocks below it on the page
```cpp refused=WORD         statements that must not compile; the error names WORD
```cpp prelude              what precedes the blocks of every page; the index has it
```LANGUAGE file=NAME       a part of that file; the parts of a page are put together in their order
```sh walk                  commands that a reader types, in order; `sh walk build` where they build the program
<!-- cpp declarations       as above, not shown: what stands between this line and -->

A pid in an expected output stands for any pid. Other blocks (```sh, ```text, ```cmake) are for reading only.
"""
import re
from dataclasses import dataclass
from pathlib import Path

WORDS = {"declarations", "prelude", "walk", "build", "output", "refused", "file", "explore"}


class PageError(Exception):
    """A page that breaks the convention; the text begins with file:line."""


@dataclass
class Block:
    page: Path
    line: int  # of the block's first line of text
    language: str
    words: dict  # what follows the language: word to value, or to "" where it has none
    text: str

    @property
    def where(self):
        return f"{self.page.name}:{self.line}"

    @property
    def is_program(self):
        return self.language == "cpp" and "file" not in self.words and re.search(r"^int main\(", self.text, re.M) is not None


def _parse_info(page, line, info):
    language, *rest = info.split()
    words = {}
    for word in rest:
        name, _, value = word.partition("=")
        if name not in WORDS:
            raise PageError(f"{page}:{line}: unknown word '{name}' after ```{language}")
        words[name] = value
    for name in ("refused", "file"):
        if name in words and not words[name]:
            raise PageError(f"{page}:{line}: '{name}' needs a value")
    return language, words


def blocks_of(page):
    """All blocks of a page, fenced and hidden."""
    blocks, begin, info, end_mark, text = [], 0, "", "", []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not begin:
            if line.startswith("```"):
                if line == "```":
                    raise PageError(f"{page}:{number}: a block needs a language")
                begin, info, end_mark, text = number, line[3:], "```", []
            elif line.startswith("<!-- cpp "):
                begin, info, end_mark, text = number, line[5:], "-->", []
        elif line == end_mark:
            language, words = _parse_info(page, begin, info)
            blocks.append(Block(page, begin + 1, language, words, "".join(one + "\n" for one in text)))
            begin = 0
        else:
            text.append(line)
    if begin:
        raise PageError(f"{page}:{begin}: the block does not end")
    return blocks


def files_of(blocks):
    """The files that a page's blocks make up: name to the list of their parts."""
    files = {}
    for block in blocks:
        if "file" in block.words:
            files.setdefault(block.words["file"], []).append(block)
    return files


def without_pids(text):
    return re.sub(r"<0\.\d+\.\d+>", "<pid>", text)
