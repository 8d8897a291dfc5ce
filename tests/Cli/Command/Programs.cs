// Runs programs to their end.
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Cli.Command;

static class Programs
{
    /// <summary>fastbackup in a folder, so that tests can name files as a person there would.</summary>
    public static ProgramResult Fastbackup(string workFolder, params string[] arguments)
    {
        using RunningProgram program = StartFastbackup(workFolder, arguments);
        return program.Wait();
    }

    /// <summary>fastbackup, started in a folder.</summary>
    public static RunningProgram StartFastbackup(string workFolder, params string[] arguments) =>
        new(workFolder, BuiltCommand.Words[0], [.. BuiltCommand.Words[1..], .. arguments]);

    /// <summary>fastbackup as a root that, like any other user, is bound by the permissions of files.</summary>
    public static ProgramResult FastbackupBoundByPermissions(string workFolder, params string[] arguments)
    {
        if (!System.Environment.IsPrivilegedProcess)
            return Fastbackup(workFolder, arguments);
        Requires.Command("setpriv");
        string[] less = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"];
        return Run(workFolder, "setpriv", [.. less, .. BuiltCommand.Words, .. arguments]);
    }

    /// <param name="workFolder">Where it runs.</param>
    /// <param name="name">Found also in the folders of system programs.</param>
    /// <param name="arguments">One each; no quoting.</param>
    public static ProgramResult Run(string workFolder, string name, params string[] arguments)
    {
        using RunningProgram program = new(workFolder, name, arguments);
        return program.Wait();
    }
}
