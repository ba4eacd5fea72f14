//! The seeded simulator of Parlor. It is a package of its own already, so that the workspace keeps
//! its shape; the machine itself is a later step (see CHANGELOG.md).
