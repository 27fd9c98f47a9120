"""Exports of accounts: what is in the zip, in which pieces it is made, who can read a file."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.python.threadable import isInIOThread
from twisted.trial.unittest import TestCase

from gtchat.chat.data_export import Part
from gtchat.chat.errors import BadRequest, NotStored
from gtchat.chat.limits import Limits
from gtchat.server.account_export import ExportFiles
from tests.store.contract import message


async def parts(*found: Part, error: Exception | None = None) -> AsyncIterator[Part]:
    for part in found:
        yield part
    if error is not None:
        raise error


class Files(TestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.pieces: list[bytes] = []

    def files(self, **limits: int) -> ExportFiles:
        files = ExportFiles(reactor, Limits(**limits))
        self.addCleanup(files.stop)
        return files

    async def take(self, data: bytes) -> None:
        self.pieces.append(data)

    def made(self) -> zipfile.ZipFile:
        """Return the zip that was sent."""
        made = zipfile.ZipFile(BytesIO(b"".join(self.pieces)))
        self.addCleanup(made.close)
        self.assertIsNone(made.testzip())
        return made

    async def test_it_is_a_zip_of_json_lines(self) -> None:
        said = [message("a"), message("b")]
        found: list[Part] = [("account", [{"name": "Ann"}]), ("said", said[:1]), ("said", said[1:])]
        await self.files().send(parts(*found), self.take)
        made = self.made()
        self.assertEqual(made.namelist(), ["account.jsonl", "said.jsonl", "about.txt"])
        self.assertEqual(json.loads(made.read("account.jsonl")), {"name": "Ann"})
        lines = [json.loads(line) for line in made.read("said.jsonl").splitlines()]
        self.assertEqual(
            [(one["cmd"], one["msg"]) for one in lines], [("c_speak", "a"), ("c_speak", "b")]
        )
        self.assertNotIn(b"not complete", made.read("about.txt"))

    async def test_each_part_is_a_piece_that_is_taken_before_the_next_one_is_read(self) -> None:
        read = []

        async def noted() -> AsyncIterator[Part]:
            for number in range(3):
                read.append(len(self.pieces))
                yield "a", [{"x": number}]

        await self.files().send(noted(), self.take)
        self.assertEqual(read, [0, 1, 2])
        self.assertTrue(self.pieces[0])

    async def test_it_has_a_largest_size(self) -> None:
        files = self.files(export_bytes=100)
        await files.send(
            parts(("a", [{"x": 1}]), ("b", [{"x": "y" * 100}]), ("c", [{}])), self.take
        )
        made = self.made()
        self.assertEqual(made.namelist(), ["a.jsonl", "about.txt"])
        self.assertIn(b"not complete", made.read("about.txt"))

    async def test_what_fails_ends_it(self) -> None:
        async def refuse(data: bytes) -> None:
            raise ValueError

        files = self.files()
        await self.failed(files.send(parts(("a", []), ("b", [])), refuse), ValueError)
        await self.failed(files.send(parts(("a", []), error=NotStored()), self.take), NotStored)
        self.assertEqual(len(self.pieces), 1)

    async def test_a_file_is_written_where_an_operator_says(self) -> None:
        files = self.files()
        path = str(self.directory / "ann.zip")
        await files.write(parts(("a", [{"x": 1}])), path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with zipfile.ZipFile(path) as made:
            self.assertEqual(made.read("a.jsonl"), b'{"x":1}\n')
        for wrong in (path, "ann.zip", str(self.directory / "none" / "x.zip")):
            refused: Any = await self.failed(files.write(parts(), wrong), BadRequest)
            self.assertIn("file", refused.text)

    async def test_nothing_is_left_of_a_file_that_cannot_be_written(self) -> None:
        for error in (NotStored(), OSError(28, "No space left on device")):
            path = str(self.directory / "ann.zip")
            await self.failed(self.files().write(parts(("a", []), error=error), path), NotStored)
            self.assertEqual(list(self.directory.iterdir()), [])

    async def test_files_are_made_and_deleted_in_a_thread(self) -> None:
        used: dict[str, set[bool]] = {}
        for name in ("open", "unlink", "fsync"):
            work = getattr(os, name)

            def noted(*args: Any, name: str = name, work: Any = work, **options: Any) -> Any:
                used.setdefault(name, set()).add(isInIOThread())
                return work(*args, **options)

            self.patch(os, name, noted)
        files, path = self.files(), str(self.directory / "ann.zip")
        await files.write(parts(("a", [])), path)
        broken = str(self.directory / "eve.zip")
        await self.failed(files.write(parts(error=NotStored()), broken), NotStored)
        self.assertEqual(used, {name: {False} for name in ("open", "unlink", "fsync")})

    async def test_nothing_is_made_after_the_stop(self) -> None:
        files, path = self.files(), str(self.directory / "ann.zip")
        files.stop()
        await self.failed(files.write(parts(("a", [])), path), NotStored)
        await self.failed(files.send(parts(("a", [])), self.take), NotStored)
        self.assertEqual((self.pieces, list(self.directory.iterdir())), ([], []))

    async def test_what_is_under_way_at_the_stop_ends_and_leaves_no_file(self) -> None:
        async def stopped() -> AsyncIterator[Part]:
            yield "a", []
            files.stop()
            yield "b", []

        files, path = self.files(), str(self.directory / "ann.zip")
        await self.failed(files.write(stopped(), path), NotStored)
        self.assertEqual(list(self.directory.iterdir()), [])
        files = self.files()
        await self.failed(files.send(stopped(), self.take), NotStored)
        self.assertEqual(len(self.pieces), 1)

    async def failed(self, writing: Any, error: type[Exception]) -> Exception:
        try:
            await writing
        except error as failure:
            return failure
        raise self.failureException("nothing failed")
