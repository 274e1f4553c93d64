"""What a study needs beside numbers: a data dictionary for REDCap, a paragraph on methods."""
