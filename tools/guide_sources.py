"""tools/guide_sources.py HEADERS OUT PAGE...

Turns the C++ of the guide's pages (guide_pages.py) into sources below OUT, and writes OUT/guide.cmake, which lists them:
fragments/<page>.cpp, all fragments of a page; programs/<page>_<n>.cpp with .expected; refused/<page>_<n>.cpp.
Also checks that what the pages' prose calls `weft::name` is in the headers (a list separated by commas) and that links lead somewhere.
"""
import re
import sys
from pathlib import Path

from guide_pages import Block, PageError, blocks_of, files_of


def numbered(block: Block):
    """The block's text, so that a compiler's message names the page and its line."""
    return f'#line {block.line} "{block.page}"\n{block.text}'


def split_includes(text):
    """What must stand outside every namespace, and the rest with as many lines."""
    lines = text.splitlines()
    is_include = [line.startswith("#include") for line in lines]
    includes = "".join(line + "\n" for line, yes in zip(lines, is_include) if yes)
    return includes, "".join(("" if yes else line) + "\n" for line, yes in zip(lines, is_include))


def wrap(page, prelude, blocks):
    """One translation unit of the given blocks: declarations as they are, statements in functions of their own."""
    head, body = "", ""
    for block in [*prelude, *blocks]:
        includes, rest = split_includes(block.text)
        head += includes
        text = f'#line {block.line} "{block.page}"\n{rest}'
        if "declarations" in block.words or "prelude" in block.words:
            body += text
        else:
            body += f"void statements_{block.line}();\nvoid statements_{block.line}() {{\n{text}}}\n"
    return f"{head}\nnamespace guide_{page.stem} {{\n{body}}}  // namespace\n"


def write(path, text):
    """Leaves a file that is as it should be alone, so that it is not compiled again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def check_prose(page, headers):
    inside = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        if inside:
            continue
        for code in re.findall(r"`([^`]+)`", line):
            for name in re.findall(r"\bweft::(?:(?:net|sim)::)?([A-Za-z_]\w*)", code):
                if not re.search(rf"\b{name}\b", headers):
                    raise PageError(f"{page}:{number}: no public header has '{name}'")
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", line):
            if "://" not in link and not (page.parent / link).exists():
                raise PageError(f"{page}:{number}: the link to {link} leads nowhere")


def expected_of(blocks, index):
    """The output block right after a program, if there is one."""
    if index + 1 < len(blocks) and "output" in blocks[index + 1].words:
        return blocks[index + 1].text
    return None


def generate(out, pages):
    all_blocks = {page: blocks_of(page) for page in pages}
    prelude = [block for blocks in all_blocks.values() for block in blocks if "prelude" in block.words]
    made = {"fragments": [], "programs": [], "expected": [], "explored": [], "servers": [], "refused": [], "refused_words": []}
    for page, blocks in all_blocks.items():
        fragments, programs, refused = [], 0, 0
        for index, block in enumerate(blocks):
            if block.language != "cpp" or "prelude" in block.words or "file" in block.words:
                continue
            if block.is_program:
                programs += 1
                name = f"{page.stem}_{programs}"
                made["programs"].append(write(out / "programs" / f"{name}.cpp", numbered(block)))
                if "explore" in block.words:
                    made["explored"].append(name)
                expected = expected_of(blocks, index)
                made["expected"].append(write(out / "programs" / f"{name}.expected", expected) if expected is not None else "-")
            elif "refused" in block.words:
                refused += 1
                source = wrap(page, prelude, [*(b for b in fragments if "declarations" in b.words), block])
                made["refused"].append(write(out / "refused" / f"{page.stem}_{refused}.cpp", source))
                made["refused_words"].append(block.words["refused"])
            else:
                fragments.append(block)
        if fragments:
            made["fragments"].append(write(out / "fragments" / f"{page.stem}.cpp", wrap(page, prelude, fragments)))
        for name, parts in files_of(blocks).items():
            if name.endswith(".cpp"):
                made["servers"].append(write(out / "programs" / f"{page.stem}.cpp", "".join(numbered(part) for part in parts)))
    return made


def main(headers, out, *pages):
    out, pages = Path(out), [Path(page) for page in pages]
    text = "".join(Path(header).read_text() for header in headers.split(","))
    for page in pages:
        check_prose(page, text)
    made = generate(out, pages)
    kept = {Path(path) for paths in made.values() for path in paths}  # "explored" has names, which are no files
    for stale in [path for path in out.rglob("*") if path.suffix in (".cpp", ".expected") and path not in kept]:
        stale.unlink()
    write(out / "guide.cmake", "".join(f"set(guide_{key} {' '.join(str(v) for v in values)})\n" for key, values in made.items()))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except PageError as error:
        sys.exit(str(error))
