-- Where a deployment was made, by what each place is for: whoever moves one is told what lies at the old place.
ALTER TABLE deployments ADD COLUMN places TEXT NOT NULL DEFAULT '{}';
