"""Records: what a study measured, where it comes from, and when it must be measured again."""
