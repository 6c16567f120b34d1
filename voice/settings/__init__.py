"""The settings, a section of the file each; `voice.config` reads them."""
