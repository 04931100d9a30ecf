"""A second writer: TensorFlow's save to the same prefix, between any two calls of a scenario.

Whatever becomes of our save, what he saved is whole when he is done; and ours can be dropped.
"""

from arena import Violation

# His data file comes before the call; his index with it, before the next call, or when the program
# has ended (shim.c has the table).
FAULTS = ['writer', 'writer-split', 'writer-torn', 'writer-late', 'writer-kill',
          'writer-kill-late']


def meets(scenario):
    """The SavedModel of TensorFlow is no bundle that we could write anew."""
    return not (scenario.after or scenario.workdir or scenario.saves_elsewhere or
                scenario.kind.name == 'saved')


def judge(arena, scenario, program, late):
    """After a run that he came into; late: he writes his index when all is over."""
    if not late:
        arena.finish_writing(program)
    require_codes(program, 0, 5, 6)
    recovered = arena.weightctl('recover')
    require_codes(recovered, 0, 5)
    if late:
        arena.finish_writing(program)
    require_codes(arena.weightctl('discard'), 0)
    when = f'beside a writer ({program}; {recovered})'
    arena.require_sound(when)
    arena.require_writers(when)
    arena.require_mine(when)
    arena.require_backup(when)
    if not had_several(arena, program, recovered):
        arena.require_tidy(when, scenario.backs_up)
    return 'saved' if program.code == 0 else 'reported, pending'


def had_several(arena, program, recovered):
    """He who saves in one data file leaves the others lie that the model had before."""
    return arena.kind.name == 'two' or 'finished a save' in recovered.stderr or (
        'large' in arena.kind.name and (program.killed or arena.acknowledged('commit')))


def require_codes(program, *codes):
    torn = 'checksum mismatch' in program.stderr  # it has found his data and no index of his
    if not program.killed and program.code not in codes and not torn:
        raise Violation(f'beside a writer a program ended otherwise: {program}')
