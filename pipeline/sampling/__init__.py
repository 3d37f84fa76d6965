"""Text that a network writes by itself."""
