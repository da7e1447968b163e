-- What providers say of persons is redacted by age, too: a rule of each brand.

insert into ops.retention_rules (rule, position, unit, usual, least, most, keeps) values
  ('persons', 16, 'days', 3650, 90, 3650,
   'what providers say of persons in an object, since its last change; ids, digests, consent and figures stay');
