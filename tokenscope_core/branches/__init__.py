"""What else a text could have been: planned, grown, rescored."""
