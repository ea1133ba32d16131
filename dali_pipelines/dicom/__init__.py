"""One DICOM file to an ImageRecord: its tags, and where its codestream lies; decodes no pixel."""
