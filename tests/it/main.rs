mod dns_answers;
mod dns_doors;
mod dns_world;
