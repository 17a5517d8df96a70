SELECT max(version) FROM persona_profile
