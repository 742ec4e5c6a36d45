"""What every test needs: one hypothesis profile, without wall-clock deadlines (speed lives in benchmarks/)."""

from hypothesis import HealthCheck, settings

settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")
