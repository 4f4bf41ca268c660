"""What of a component is the user's own, and how does it run? Without torch, since trials' keys are made of it.

component_code     the code of a component, and that of all components of a trial, as read for the key
read_code          the files that it is made of
run_code           it is unpacked, imported and run; a component's implementation, called with its parameters
metric_code        the user's own metrics, which no key holds
"""
