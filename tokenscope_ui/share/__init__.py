"""Links to a session, files of it, and opening what others pass on."""
