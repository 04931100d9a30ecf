"""The table of `weightctl check --stats` against NumPy's view of what TensorFlow reads."""

import math
import warnings

import ml_dtypes  # noqa: F401, gives NumPy the small floats
import numpy as np
import pytest

from mounting import DATA, FINE, weightctl

SMALL = {'float8_e5m2', 'float8_e4m3fn', 'float8_e4m3fnuz', 'float8_e4m3b11fnuz',
         'float8_e5m2fnuz', 'float4_e2m1fn', 'bfloat16', 'int4', 'uint4', 'int2', 'uint2'}


def array(dtype, content):
    dtype = {'qint8': 'int8', 'quint8': 'uint8', 'qint16': 'int16', 'quint16': 'uint16',
             'qint32': 'int32'}.get(dtype, dtype)
    return np.frombuffer(content, getattr(ml_dtypes, dtype) if dtype in SMALL else dtype)


def expected(values):
    """nan, inf, min, max, mean"""
    if values.dtype.kind == 'c':
        nan = np.isnan(values)
        return int(nan.sum()), int((np.isinf(values) & ~nan).sum()), None, None, None
    wide = values if values.dtype.kind in 'iub' else values.astype(np.float64)
    if wide.dtype.kind == 'f':
        finite = wide[np.isfinite(wide)]
        nan, inf = int(np.isnan(wide).sum()), int(np.isinf(wide).sum())
    else:
        finite, nan, inf = wide, 0, 0
    numbers = [float(v) if wide.dtype.kind == 'f' else int(v) for v in finite]
    if not numbers:
        return nan, inf, None, None, None
    total = math.fsum(numbers) if wide.dtype.kind == 'f' else sum(numbers)
    return nan, inf, min(numbers), max(numbers), total / len(numbers)


def close(text, value):
    if value is None:
        return text == '-'
    return text == str(value) if isinstance(value, int) else math.isclose(
        float(text), value, rel_tol=1e-6, abs_tol=1e-12)


@pytest.mark.parametrize('model', ['dtypes/dtypes', 'train/ckpt-5', 'sliced/sliced'])
def test_statistics_are_numpys(model, tensorflow):
    done = weightctl('check', '--stats', DATA / model)
    assert done.returncode == FINE
    rows = [line.split('\t') for line in done.stdout.splitlines()[1:]]
    values = tensorflow.checkpoint(str(DATA / model))
    seen = 0
    for name, dtype, _, nan, inf, *numbers in rows:
        if dtype in ('string', 'variant') or name not in values:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            want = expected(array(dtype, values[name][2]))
        assert (int(nan), int(inf)) == want[:2], name
        assert all(map(close, numbers, want[2:])), (name, numbers, want)
        seen += 1
    assert seen >= 7
