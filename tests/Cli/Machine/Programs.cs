// Runs programs to their end.
using System.Linq;

namespace FastBackup.Tests.Cli.Machine;

static class Programs
{
    /// <summary>fastbackup in a folder, so that tests can name files as a person there would.</summary>
    public static ProgramResult Fastbackup(string workFolder, params string[] arguments)
    {
        using RunningProgram program = RunningProgram.Fastbackup(workFolder, arguments);
        return program.Wait();
    }

    /// <summary>fastbackup as a root that, like any other user, is bound by the permissions of files.</summary>
    public static ProgramResult FastbackupBoundByPermissions(string workFolder, params string[] arguments)
    {
        if (!System.Environment.IsPrivilegedProcess)
            return Fastbackup(workFolder, arguments);
        Requires.Command("setpriv");
        string[] less = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"];
        return Run(workFolder, "setpriv", [.. less, "dotnet", RepositoryFolder.CommandPath, .. arguments]);
    }

    /// <param name="workFolder">Where it runs.</param>
    /// <param name="name">Found also in the folders of system programs.</param>
    /// <param name="arguments">One each; no quoting.</param>
    public static ProgramResult Run(string workFolder, string name, params string[] arguments)
    {
        using RunningProgram program = new(workFolder, Requires.FindCommand(name) ?? name, arguments.AsEnumerable());
        return program.Wait();
    }
}
