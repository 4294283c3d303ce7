mod dns_answers;
mod dns_world;
