namespace FastBackup.Dev;

/// <param name="Name">The suite's name in reports and for --filter.</param>
/// <param name="ProjectFolder">Relative to the repository root; has one project that builds a program.</param>
/// <param name="Arguments">Separated by blanks; no quoting.</param>
sealed record ProgramStep(string Name, string ProjectFolder, string Arguments);
