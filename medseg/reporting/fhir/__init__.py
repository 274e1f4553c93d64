"""A Record as FHIR: patient, study, devices, structures, numbers and the report that holds them together."""
