"""The terminal transcript in README.md is what a terminal shows."""

import re
import shutil
import subprocess

from mounting import BUILD, DATA, LIMIT, TESTS, environment

README = TESTS.parent / 'README.md'


def transcript():
    """[(command, what it shows)]"""
    text = README.read_text()
    block = re.search(r'(^ {4}\$ weightfs mlp m\n(?: {4}.*\n| *\n)*)', text, re.M)[1]
    block = re.sub('^ {4}', '', block, flags=re.M).strip('\n')
    return [part.partition('\n')[::2] for part in block.removeprefix('$ ').split('\n$ ')]


def show(command, folder):
    script = f'ls() {{ command ls -C -w 80 -T 0 "$@"; }}; {command}'
    env = {**environment(), 'PATH': f'{BUILD}:/usr/bin:/bin:/usr/sbin:/sbin'}
    return subprocess.run(['bash', '-c', script], cwd=folder, env=env, text=True, timeout=LIMIT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def test_the_transcript_is_real(tmp_path):
    shutil.copytree(DATA / 'mlp', tmp_path / 'mlp')
    (tmp_path / 'm').mkdir()
    try:
        for command, expected in transcript():
            shown = show(command, tmp_path).replace(str(tmp_path), '/home/me')
            shown = re.sub('"pid": [0-9]+', '"pid": 4242', shown)
            assert shown.rstrip('\n') == expected, command
    finally:
        subprocess.run(['umount', '-lq', tmp_path / 'm'])
