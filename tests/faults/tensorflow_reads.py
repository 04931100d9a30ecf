"""Reads checkpoints as TensorFlow does. Each line of the input is a prefix; each of the output tells
what its tensors hold: NAME, a blank, the SHA-256 of the bytes; with tabs between."""

import hashlib
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
os.environ['CUDA_VISIBLE_DEVICES'] = ''

import tensorflow as tf  # noqa: E402


def read(prefix):
    reader = tf.train.load_checkpoint(prefix)
    for name in reader.get_variable_to_shape_map():
        value = reader.get_tensor(name)
        if hasattr(value, 'tobytes') and value.dtype.hasobject is False:
            yield f'{name} {hashlib.sha256(value.tobytes()).hexdigest()}'


for line in sys.stdin:
    try:
        print('\t'.join(read(line.rstrip('\n'))), flush=True)
    except Exception as error:  # it is told, and judged by who asked
        print(f'error {type(error).__name__}: {error}'.replace('\n', ' '), flush=True)
