// A value on the command line: an argument of a command, or what an option takes.
namespace FastBackup.Cli;

/// <param name="Name">As in the usage line: SIZE, or raw|qcow2.</param>
/// <param name="Description">For people; of an option's value none.</param>
/// <param name="IsOptional">It may be left out.</param>
/// <param name="IsRepeated">It may stand there several times.</param>
/// <param name="Choices">The words that it may be; none: any.</param>
sealed record CommandValue(string Name, string Description, bool IsOptional, bool IsRepeated, string[] Choices)
{
    public ValueKind Kind => ValueKinds.Of(Name, Choices);
}
