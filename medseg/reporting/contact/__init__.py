"""Many Records at a glance: the contact sheet, and how each quantity is distributed over the cases."""
