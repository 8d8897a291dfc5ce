// The kernel's io_uring header for the engine: what KernelTable lists, one file each, and the constants.
//
// Offsets and sizes are the compiler's. A struct whose listed members fill it without a gap and without an overlap is
// laid out in sequence; any other gets its members at their offsets, those of a union on top of each other, and its
// size.
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Interop.Generator;

sealed class KernelBindings
{
    public const string Includes = """
        #include <linux/io_uring.h>
        #include <linux/time_types.h>
        #include <linux/uio.h>
        #include <sys/syscall.h>

        """;
    const string Header = "linux/io_uring.h";
    const string Folder = "interop/Linux/Generated/";
    const string Indent = "    ";

    readonly SyntaxTree _tree;
    readonly TypeMap _types;
    readonly Dictionary<string, CValue> _values;

    KernelBindings(string[] folders)
    {
        _tree = SyntaxTree.Read(Includes, folders);
        _types = new TypeMap(_tree.TypedefOf, NameOf);
        _values = new CompilerProbe(Includes, folders).Evaluate([.. Questions()]);
    }

    /// <param name="folders">Where linux/io_uring.h is looked for, before the system's folders.</param>
    public static IEnumerable<GeneratedFile> Generate(params string[] folders)
    {
        KernelBindings bindings = new(folders);
        return [bindings.Constants(), .. KernelTable.Structs.Select(bindings.Struct)];
    }

    static string? NameOf(string structName) =>
        KernelTable.Structs.FirstOrDefault(item => item.CName == structName)?.Name;

    static IEnumerable<string> Questions()
    {
        foreach (KernelStruct item in KernelTable.Structs)
        {
            yield return SizeOf(item);
            foreach (KernelField field in item.Fields)
            {
                yield return OffsetOf(item, field);
                yield return SizeOf(item, field);
            }
        }
        foreach (string name in KernelTable.Constants.SelectMany(group => group.Names))
            yield return name;
    }

    static string SizeOf(KernelStruct item) => $"sizeof({item.CType})";

    static string SizeOf(KernelStruct item, KernelField field) => $"sizeof((({item.CType} *)0)->{field.CName})";

    static string OffsetOf(KernelStruct item, KernelField field) => $"offsetof({item.CType}, {field.CName})";

    GeneratedFile Constants()
    {
        CodeText code = new("The constants of io_uring", Header);
        code.Line("namespace FastBackup.Interop.Linux;");
        code.Line("");
        code.Line("public static unsafe partial class IoUring");
        code.Line("{");
        foreach ((int index, KernelConstants group) in KernelTable.Constants.Index())
        {
            if (index > 0)
                code.Line("");
            foreach (string name in group.Names)
            {
                string value = group.IsBits ? _values[name].HexLiteral : _values[name].Literal;
                code.Line($"{Indent}public const {group.Type} {name} = {value};");
            }
        }
        code.Line("}");
        return new GeneratedFile(Folder + "IoUring.Constants.cs", code.ToString());
    }

    GeneratedFile Struct(KernelStruct item)
    {
        Dictionary<string, CField> declared = _tree.Structs[item.CName].Fields.ToDictionary(field => field.Name);
        int sizeBytes = _values[SizeOf(item)].AsCount;
        bool isSequential = IsSequential(item, sizeBytes);
        CodeText code = new($"struct {item.CName}", Header, "System.Runtime.InteropServices");
        code.Line("namespace FastBackup.Interop.Linux;");
        code.Line("");
        code.Summary("", [$"{item.CName}, {sizeBytes} bytes. {item.Doc}"]);
        string layout = isSequential ? "Sequential" : $"Explicit, Size = {sizeBytes}";
        code.Line($"[StructLayout(LayoutKind.{layout})]");
        IEnumerable<string> types = item.Fields.Select(field => _types.Map(declared[field.CName].Type));
        code.Line($"public {(types.Any(type => type.Contains('*')) ? "unsafe " : "")}struct {item.Name}");
        code.Line("{");
        foreach ((int index, KernelField field) in item.Fields.Index())
        {
            if (index > 0 && (field.Doc.Length > 0 || !isSequential))
                code.Line("");
            code.Summary(Indent, [field.Doc]);
            if (!isSequential)
                code.Line($"{Indent}[FieldOffset({_values[OffsetOf(item, field)].AsCount})]");
            code.Line($"{Indent}public {_types.Map(declared[field.CName].Type)} {field.Name};");
        }
        code.Line("}");
        return new GeneratedFile($"{Folder}{item.Name}.cs", code.ToString());
    }

    bool IsSequential(KernelStruct item, int sizeBytes)
    {
        int endBytes = 0;
        foreach (KernelField field in item.Fields)
        {
            if (_values[OffsetOf(item, field)].AsCount != endBytes)
                return false;
            endBytes += _values[SizeOf(item, field)].AsCount;
        }
        return endBytes == sizeBytes;
    }
}
