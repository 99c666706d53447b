"""What attention says of the selected token, beside where its row goes."""
