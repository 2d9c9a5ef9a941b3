"""Is this equation the law?"""
