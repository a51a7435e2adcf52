"""guldberg learns chemical reaction networks: network, system, trajectory, loss, job."""
