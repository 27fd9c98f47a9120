"""Files of exports: what is in them, who can read them, when they go."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.chat.data_export import Part
from gtchat.chat.errors import BadRequest, NotStored
from gtchat.chat.limits import Limits
from gtchat.server.account_export import FOLDER, ExportFiles
from tests.store.contract import message


async def parts(*found: Part, error: Exception | None = None) -> AsyncIterator[Part]:
    for part in found:
        yield part
    if error is not None:
        raise error


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


class Files(TestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def files(self, directory: Path | None = None, **limits: int) -> ExportFiles:
        files = ExportFiles(reactor, directory, Limits(**limits))
        self.addCleanup(files.stop)
        return files

    async def test_it_is_a_zip_of_json_lines_that_only_its_owner_can_read(self) -> None:
        files = self.files(self.directory)
        said = [message("a"), message("b")]
        path = await files.write(
            parts(("account", [{"name": "Ann"}]), ("said", said[:1]), ("said", said[1:])), None
        )
        self.assertEqual((mode(path), mode(self.directory / FOLDER)), (0o600, 0o700))
        self.assertEqual(Path(path).parent, self.directory / FOLDER)
        with zipfile.ZipFile(path) as made:
            self.assertIsNone(made.testzip())
            self.assertEqual(made.namelist(), ["account.jsonl", "said.jsonl", "about.txt"])
            self.assertEqual(json.loads(made.read("account.jsonl")), {"name": "Ann"})
            lines = [json.loads(line) for line in made.read("said.jsonl").splitlines()]
            self.assertEqual(
                [(one["cmd"], one["msg"]) for one in lines], [("c_speak", "a"), ("c_speak", "b")]
            )
            self.assertNotIn(b"not complete", made.read("about.txt"))
        files.delete(path)
        files.delete(path)
        self.assertFalse(os.path.exists(path))

    async def test_it_has_a_largest_size(self) -> None:
        files = self.files(self.directory, export_bytes=100)
        path = await files.write(
            parts(("a", [{"x": 1}]), ("b", [{"x": "y" * 100}]), ("c", [])), None
        )
        with zipfile.ZipFile(path) as made:
            self.assertEqual(made.namelist(), ["a.jsonl", "about.txt"])
            self.assertIn(b"not complete", made.read("about.txt"))

    async def test_a_file_is_written_where_an_operator_says(self) -> None:
        files = self.files()
        path = str(self.directory.resolve() / "ann.zip")
        self.assertEqual(await files.write(parts(("a", [{"x": 1}])), path), path)
        self.assertEqual(mode(path), 0o600)
        for wrong in (path, "ann.zip", str(self.directory.resolve() / "none" / "x.zip")):
            refused: Any = await self.failed(files.write(parts(), wrong), BadRequest)
            self.assertIn("file", refused.text)

    async def failed(self, writing: Any, error: type[Exception]) -> Exception:
        try:
            await writing
        except error as failure:
            return failure
        raise self.failureException("nothing failed")

    async def test_nothing_is_left_of_what_cannot_be_written(self) -> None:
        files = self.files(self.directory)
        await self.failed(files.write(parts(("a", []), error=NotStored()), None), NotStored)
        self.assertEqual(list((self.directory / FOLDER).iterdir()), [])
        os.rmdir(self.directory / FOLDER)
        (self.directory / FOLDER).write_text("in the way")
        await self.failed(files.write(parts(), None), NotStored)

    async def test_what_is_left_goes_at_the_start_and_at_the_stop(self) -> None:
        files = self.files(self.directory)
        path = await files.write(parts(("a", [])), None)
        self.files(self.directory)
        self.assertFalse(os.path.exists(path))
        for directory in (self.directory, None):
            files = self.files(directory)
            path = await files.write(parts(("a", [])), None)
            files.stop()
            self.assertFalse(os.path.exists(path))
