"""A training run that fills a folder beside a mount, and what is to be seen of it there."""

import os
import random
from pathlib import Path

from bundle import UINT8, write_bundle

WEIGHT = 'variables/w'


class Run:
    """A training run that keeps the last three checkpoints, as CheckpointManager does."""

    def __init__(self, folder):
        self.folder, self.kept, self.rng = Path(folder), [], random.Random(1)
        self.folder.mkdir()

    def save(self, name):
        """The values that were saved."""
        content = self.rng.randbytes(5000)
        self.write(name, content)
        self.kept.append(name)
        while len(self.kept) > 3:
            self.remove(self.kept.pop(0))
        self.state(name)
        return content

    def write(self, name, content):
        """The data first, then the index."""
        aside = self.folder / f'{name}_temp'
        aside.mkdir()
        write_bundle(aside / 'part', {'w': (UINT8, (5000,), content)})
        for ending in ('.data-00000-of-00001', '.index'):
            os.rename(aside / f'part{ending}', self.folder / f'{name}{ending}')
        aside.rmdir()

    def state(self, latest):
        text = f'model_checkpoint_path: "{latest}"\n' + ''.join(
            f'all_model_checkpoint_paths: "{name}"\n' for name in self.kept)
        (self.folder / 'checkpoint.tmp').write_text(text)
        os.rename(self.folder / 'checkpoint.tmp', self.folder / 'checkpoint')

    def remove(self, name):
        for path in self.folder.glob(f'{name}.*'):
            if path.is_file():
                path.unlink()


def listed(m):
    return sorted(set(os.listdir(m.path)) - {'.weightfs'})


def latest(m):
    path = m.path / 'latest'
    return os.readlink(path) if path.is_symlink() else None


def said(m, words):
    return [line for line in m.log().splitlines() if words in line]
