"""What the reader of the guide's pages accepts and refuses."""
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
from guide_pages import PageError, blocks_of, files_of, without_pids
from guide_sources import check_prose, generate


class GuidePages(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def page(self, text, name="page.md"):
        path = self.folder / name
        path.write_text(text)
        return path

    def generated(self, text):
        out = self.folder / "out"
        return generate(out, [self.page(text)])

    def test_a_block_that_does_not_end_is_an_error_with_its_line(self):
        with self.assertRaisesRegex(PageError, "page.md:2: the block does not end"):
            blocks_of(self.page("text\n```cpp\nint n;\n"))

    def test_a_block_without_a_language_is_an_error(self):
        with self.assertRaisesRegex(PageError, "page.md:1: a block needs a language"):
            blocks_of(self.page("```\nint n;\n```\n"))

    def test_a_misspelled_word_is_an_error(self):
        with self.assertRaisesRegex(PageError, "unknown word 'declaration'"):
            blocks_of(self.page("```cpp declaration\nint n;\n```\n"))

    def test_a_refusal_must_say_what_the_error_names(self):
        with self.assertRaisesRegex(PageError, "'refused' needs a value"):
            blocks_of(self.page("```cpp refused\nint n;\n```\n"))

    def test_a_name_that_no_header_has_is_an_error(self):
        with self.assertRaisesRegex(PageError, "page.md:2: no public header has 'spwan'"):
            check_prose(self.page("`weft::spawn`\n`weft::spwan(f)`\n"), "Pid spawn(F f);")

    def test_a_link_that_leads_nowhere_is_an_error(self):
        with self.assertRaisesRegex(PageError, "the link to gone.md leads nowhere"):
            check_prose(self.page("[here](page.md#part) and [there](gone.md)\n"), "")

    def test_a_program_keeps_the_output_that_follows_it(self):
        made = self.generated("```cpp\nint main() {}\n```\n```text output\nhello\n```\n```cpp\nint main() {}\n```\n")
        self.assertEqual([path.name for path in made["programs"]], ["page_1.cpp", "page_2.cpp"])
        self.assertEqual(made["expected"][0].read_text(), "hello\n")
        self.assertEqual(made["expected"][1], "-")

    def test_fragments_share_one_source_and_see_the_declarations(self):
        made = self.generated("```cpp declarations\n#include <vector>\nstruct A {};\n```\n```cpp\nA a;\n```\n<!-- cpp declarations\nint hidden;\n-->\n")
        self.assertEqual(len(made["fragments"]), 1)
        source = made["fragments"][0].read_text()
        self.assertTrue(source.startswith("#include <vector>\n"))
        self.assertLess(source.index("struct A {};"), source.index("A a;"))
        self.assertIn("int hidden;", source)

    def test_the_parts_of_a_file_are_put_together_in_their_order(self):
        blocks = blocks_of(self.page("```cpp file=main.cpp\nint a;\n```\n```cpp file=main.cpp\nint b;\n```\n"))
        self.assertEqual("".join(part.text for part in files_of(blocks)["main.cpp"]), "int a;\nint b;\n")

    def test_one_pid_stands_for_another(self):
        self.assertEqual(without_pids("<0.1.2> a <0.33.44>"), "<pid> a <pid>")


unittest.main()
