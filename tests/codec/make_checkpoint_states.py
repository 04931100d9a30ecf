#!/usr/bin/env python3
"""Prints checkpoint_states.h: files `checkpoint`, and what TensorFlow reads in them.

    make_checkpoint_states.py > checkpoint_states.h

It wants TensorFlow. Each text stands for the file of an empty folder; the answer is what
tf.train.get_checkpoint_state() makes of model_checkpoint_path, or none.
"""

import logging
import os
import tempfile
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='')
logging.disable(logging.CRITICAL)

import tensorflow as tf  # noqa: E402

PATH = 'model_checkpoint_path: '
TIME = PATH + '"b" all_model_checkpoint_timestamps: '

TEXTS = [
    PATH + '"a"\n', PATH + "'a'", 'model_checkpoint_path:"a" all_model_checkpoint_paths:"b"',
    PATH + '"a"; all_model_checkpoint_paths: "b",', PATH + '"a" model_checkpoint_path: "b"',
    PATH + '"/old/place/model.ckpt-20"', PATH + '"../up/ckpt-1"', PATH + '"x-?????-of-00002"',
    PATH + '"a" "b" \'c\'', PATH + '"a""b"', PATH + '"a"#x\n"b"', PATH + '"it\'s"',
    PATH + r'"a\n\t\x41\101\u00e9\U0001F600\"' + r"\'\\" + '"', PATH + r'"\?\a\b\f\r\v"',
    PATH + r'"b\q"', PATH + r'"b\x"', PATH + r'"b\x4"', PATH + r'"b\x4g"', PATH + r'"b\400"',
    PATH + r'"b\1"', PATH + r'"b\18"', PATH + r'"b\xfffe"', PATH + r'"b\xff"',
    PATH + r'"b\xc3\xa9"', PATH + r'"\303\251"', PATH + r'"a\000b"', PATH + r'"\X41"',
    PATH + r'"\u00e"', PATH + r'"\ud800"', PATH + r'"\U00110000"', PATH + '"bé"',
    PATH + '"tab\there"', PATH + '"\\"', PATH + '"a\\\nb"', PATH + '"b', PATH + '"b\n"',
    '# comment\n' + PATH + '"a" # more\n', PATH + '"b" # no newline', '#', ' \n\t',
    'all_model_checkpoint_paths: ["a", "b"]\n' + PATH + '"b"',
    'all_model_checkpoint_paths: []\n' + PATH + '"b"',
    'all_model_checkpoint_paths: ["a" "c", "b"] ' + PATH + '"b"',
    'all_model_checkpoint_paths: ["a", ] ' + PATH + '"b"',
    'all_model_checkpoint_paths: ["a" ' + PATH + '"b"',
    'all_model_checkpoint_paths: [["a"]] ' + PATH + '"b"',
    *(TIME + number for number in (
        '1700000000.5', '[1.5, 2]', '1e3', '-inf', 'nan', '1.5f', '1.', '.5', '"x"', '0x10', '010',
        'abc', 'infinity', 'INF', '1.5e+3', '+1', 'true', '1 2', '9' * 30, '08', '1.5.2', '0',
        '-0', '0.5', '1e400', '', '1e', '--1', 'e5')),
    PATH + '"b" last_preserved_timestamp: 1 last_preserved_timestamp: 2',
    PATH + '"b" last_preserved_timestamp: [1]',
    'unknown: "x" ' + PATH + '"b"', 'unknown { x: 1 } ' + PATH + '"b"', '[ext.x]: 1 ' + PATH + '"b"',
    'model_checkpoint_path "b"', PATH + 'b', PATH + '["b"]', PATH + '< "b" >', PATH + '5',
    'model_checkpoint_path : "b"', 'model_checkpoint_path:\n\n"b"\r\n', PATH + '"b"\x0c',
    PATH + '""', '', 'all_model_checkpoint_paths: "a"', PATH + '"b" garbage', PATH + '"b" }',
    '{ ' + PATH + '"b" }', ',' + PATH + '"b"', PATH + '"b",;', PATH + '"b";;', PATH + '"b"\0',
    'MODEL_CHECKPOINT_PATH: "b"', '1: "b"', '\ufeff' + PATH + '"b"', 'garbage',
    b'# \xff\n' + PATH.encode() + b'"b"', PATH.encode() + b'"\xff"', b'\xd7\xfb\x80\x8b$uG\xdb',
]


def latest(text, folder):
    (folder / 'checkpoint').write_bytes(text)
    try:
        state = tf.train.get_checkpoint_state(folder)
    except (ValueError, UnicodeDecodeError):
        return None
    if not state:
        return None
    return state.model_checkpoint_path.removeprefix(f'{folder}/').encode()


def literal(content):
    """As C spells it; no escape is longer than three octal digits."""
    return '"' + ''.join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f'\\{b:03o}'
                         for b in content) + '"'


def main():
    print('/* Made by make_checkpoint_states.py: files, and what TensorFlow '
          f'{tf.__version__} reads in them. */')
    print('struct checkpoint_state_case {\n\tconst char *text;\n\tsize_t size;'
          '\n\tconst char *path; /* NULL: none */\n\tsize_t path_size;\n};\n')
    print('static const struct checkpoint_state_case checkpoint_states[] = {')
    with tempfile.TemporaryDirectory() as folder:
        for text in TEXTS:
            text = text if isinstance(text, bytes) else text.encode()
            path = latest(text, Path(folder))
            found = 'NULL, 0' if path is None else f'{literal(path)}, {len(path)}'
            print(f'\t{{{literal(text)}, {len(text)},\n\t {found}}},')
    print('};')


if __name__ == '__main__':
    main()
