"""The C blocks of docs/library.md, compiled into one program and run in order on a fresh database; and
the example. usage: guide.py GUIDE EXAMPLE INCLUDE LIBRARY CC..."""
import os, re, subprocess, sys, tempfile

guide, example, include, library, *cc = sys.argv[1:]
blocks = re.findall(r"^```c\n(.*?)^```", open(guide).read(), re.S | re.M)
assert len(blocks) >= 6, "the guide has lost its blocks"
folder = os.path.dirname(os.path.abspath(library))
flags = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-I", include]
link = ["-L", folder, "-lhelios", "-Wl,-rpath," + folder]
prelude = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <helios.h>
"""


def build(source, program):
    subprocess.run(cc + flags + [source, "-o", program] + link, check=True, timeout=100)


def run(*args):
    return subprocess.run(args, check=True, timeout=100, capture_output=True, text=True).stdout


with tempfile.TemporaryDirectory() as tmp:
    source, program = f"{tmp}/guide.c", f"{tmp}/guide"
    with open(source, "w") as f:
        f.write(prelude)
        for i, b in enumerate(blocks):
            f.write(f"static void block_{i}(struct helios *c)\n{{\n    (void)c;\n{b}}}\n")
        f.write("int main(void)\n{\nstruct helios_db *db;\nstruct helios *c;\n"
                "if (helios_open(NULL, NULL, &db, NULL) != HELIOS_OK) return 1;\n"
                "if (helios_connect(db, NULL, &c, NULL) != HELIOS_OK) return 1;\n")
        for i in range(len(blocks)):
            f.write(f"block_{i}(c);\n")
        f.write("helios_disconnect(c);\nreturn helios_close(db) != HELIOS_OK;\n}\n")
    build(source, program)
    out = run(program)
    expected = ("INSERT 0 3\ntea costs 4.50\ncup costs 9.90\n"
                "products_pkey is taken: Key (id)=(1) already exists.\n")
    assert out == expected, out

    build(example, f"{tmp}/example")
    first = ("tea  at  4.50:  1500 sold for 6750.00\ncup  at  9.90:  1500 sold for 14850.00\n"
             "pot  at     ?:     0 sold for nothing\n"
             "refused (23514): constraint sales_pieces_check\n")
    assert run(f"{tmp}/example") == first, "the example in memory"
    assert run(f"{tmp}/example", f"{tmp}/shop") == first, "the example, first run"
    again = run(f"{tmp}/example", f"{tmp}/shop")
    for one, two in (("1500 ", "3000 "), ("6750", "13500"), ("14850", "29700")):
        first = first.replace(one, two)
    assert again == first, again
