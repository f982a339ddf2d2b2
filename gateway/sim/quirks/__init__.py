"""The habits of real operators, one class each; `gateway.sim.behaviours` names them."""
