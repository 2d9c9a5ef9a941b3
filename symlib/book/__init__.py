"""The book: chapters executed and rendered, tables, the style of figures, the showcase."""
