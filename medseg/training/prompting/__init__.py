"""Training a promptable network: objects of several sets, clicks of a robot, the module, the bundle."""
