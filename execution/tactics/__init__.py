"""How a large or patient order is worked: pure plans; the core carries them out. See docs/tactics.md."""
