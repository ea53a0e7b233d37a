"""The commands: one module each, run by ``tools/NAME.py`` or by the installed ``kecor NAME``.

Modules import what is heavy inside ``main``, so that ``--help`` answers at once.
"""
