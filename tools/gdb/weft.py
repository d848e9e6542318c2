"""weft's processes in gdb, of a program that stands still and of a core file.

    (gdb) source tools/gdb/weft.py
    (gdb) info weft             all processes: status, what they wait for, label, names
    (gdb) weft bt PID           the stack of one, where it waits or runs
    (gdb) weft mailbox PID      the messages that one has not consumed
    (gdb) weft enter PID        makes a waiting process the selected thread's caller: bt, up, info locals and the like see its frames
    (gdb) weft leave            undoes that; so does letting the program go on

PID is what weft prints, "<0.3.1>", or "3.1", or a registered name, or the label of one process only. Pid, Message and ExitReason print as
what they mean.

The program needs its symbols, and the debug information that weft's library carries in every build (runtime/debugger.cpp). Function names
and lines come from whatever the program was built with. x86-64 and libstdc++.
"""

import gdb
import gdb.printing
import gdb.unwinder

KINDS = ["normal", "shutdown", "kill", "killed", "noproc", "timeout", "noconnection", "error", "nocatch", "custom"]
PARKED, CLOSED = 1, 2  # mailbox/inbox.hpp: words that are no address
COUNT_SHIFT = 48
PUSHED_AND_RED_ZONE = 8 + 128  # scheduler/context.hpp: what a switch leaves below the frame it was made in


# --- reading values -------------------------------------------------------------------------------------------------------------------

def leaf(value):
    """The one scalar inside an atomic, a unique_ptr or another wrapper."""
    kind = value.type.strip_typedefs()
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return value
    for field in kind.fields():
        if hasattr(field, "bitpos"):
            found = leaf(value[field])
            if found is not None:
                return found
    return None


def number(value):
    return int(leaf(value))


def word(value):
    """The last part of an enumerator: "message" of weft::detail::Waiting::message."""
    return str(leaf(value)).rsplit("::", 1)[-1]


def text(value):
    """A std::string, whether gdb has libstdc++'s printers or not."""
    return value["_M_dataplus"]["_M_p"].string(length=int(value["_M_string_length"]), errors="replace")


def elements(vector):
    at, end = vector["_M_impl"]["_M_start"], vector["_M_impl"]["_M_finish"]
    while at != end:
        yield at.dereference()
        at += 1


def read_word(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def read_c_string(address):
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string(errors="replace")


def pid_text(pid_id):
    return "<0.%d.%d>" % (pid_id & 0xFFFFFF, pid_id >> 24) if pid_id else "<none>"


def atom_text(atom_id):
    if atom_id < len(KINDS):
        return KINDS[atom_id]
    chunk = leaf((gdb.parse_and_eval("weft_atoms") + atom_id // 1024).dereference())
    return text(chunk.dereference()["_M_elems"][atom_id % 1024])


# --- the program's processes ----------------------------------------------------------------------------------------------------------

class Process:
    def __init__(self, core, block):
        self.core, self.block = core, block

    pid = property(lambda self: int(self.block["pid"]["id_"]))
    life = property(lambda self: word(self.block["life"]))
    waiting = property(lambda self: word(self.block["waiting"]))
    inbox_word = property(lambda self: number(self.block["inbox"]["word_"]))

    def extras(self):
        extras = leaf(self.block["extras"])
        return None if int(extras) == 0 else extras.dereference()

    def label(self):
        extras = self.extras()
        return text(extras["label"]) if extras is not None else ""

    def names(self):
        """They hang on a list of hooks; the text of each follows it in memory."""
        extras = self.extras()
        if extras is None:
            return []
        name_type = gdb.lookup_type(extras["names"].type.strip_typedefs().name.replace("HookList", "Name"))
        first, made = extras["names"]["first_"], []
        at = first
        while int(at) != 0:
            name = at.cast(name_type.pointer())
            memory = gdb.selected_inferior().read_memory(int(name + 1), number(name["length"]))
            made.append(memory.tobytes().decode(errors="replace"))
            at = at["next"]
            if at == first:
                break
        return made

    def depth(self):
        return number(self.block["saved"]["size_"]) + (self.inbox_word >> COUNT_SHIFT)

    def worker(self):
        """The index of the worker it runs on, or None."""
        for index, worker in enumerate(workers(self.core)):
            if number(worker["current_"]) == int(self.block.address):
                return index
        return None

    def status(self):
        if self.worker() is not None:
            return "running on worker %d" % self.worker()
        if self.life == "exiting":
            return "exiting"
        if self.inbox_word == PARKED or self.waiting == "blocking":
            return "waiting for " + self.waiting
        return "runnable" if number(self.block["started"]) else "starting"

    def stack(self):
        """The scheduler's description of its stack; None while it has none."""
        stack = leaf(self.block["stack"])
        return None if int(stack) == 0 else stack.dereference()

    def registers(self):
        """Of a process that does not run: what unwinding starts from."""
        left = int(self.block["stack_pointer"])
        return {"rip": int(self.block["resume_at"]), "rsp": left + PUSHED_AND_RED_ZONE, "rbp": read_word(left)}

    def messages(self):
        """Envelopes, oldest first: those that receive has seen, then those that arrived since."""
        at = self.block["saved"]["head_"]
        while int(at) != 0:
            yield "saved", at.dereference()
            at = at.dereference()["next"]
        first = self.inbox_word & ((1 << COUNT_SHIFT) - 1)
        arrived = []
        if first > CLOSED:
            at = gdb.Value(first).cast(self.block["kick"].type.pointer())
            while int(at) != 0:
                arrived.append(at.dereference())
                at = at.dereference()["next"]
        for envelope in reversed(arrived):
            yield "inbox", envelope


def runtimes():
    try:
        core = gdb.parse_and_eval("weft_runtimes")
    except gdb.error:
        raise gdb.GdbError("This program has no weft, or lost its symbols: there is no 'weft_runtimes'.")
    while int(core) != 0:
        yield core.dereference()
        core = core.dereference()["next_for_debugger"]


def workers(core):
    for owner in elements(core["scheduler"]["workers_"]):
        yield leaf(owner).dereference()


def processes():
    for core in runtimes():
        slots = core["processes"]["slots_"]
        for index in range(number(core["processes"]["committed_"])):
            process = Process(core, (slots + index).dereference())
            if process.life != "dead":
                yield process


def find(argument):
    wanted = argument.strip()
    if not wanted:
        raise gdb.GdbError("Which process? A pid such as <0.3.1>, a name, or a label.")
    pid = wanted.strip("<>")
    pid = pid if pid.count(".") == 2 else "0." + pid
    matching = [p for p in processes() if pid_text(p.pid) == "<%s>" % pid]
    matching = matching or [p for p in processes() if wanted in p.names()]
    matching = matching or [p for p in processes() if p.label() == wanted]
    if not matching:
        raise gdb.GdbError("No process %s lives." % wanted)
    if len(matching) > 1:
        raise gdb.GdbError("%d processes are %s: %s" % (len(matching), wanted, " ".join(pid_text(p.pid) for p in matching)))
    return matching[0]


# --- messages -------------------------------------------------------------------------------------------------------------------------

def type_name(message_type):
    """Of a detail::MessageType. The second word of a std::type_info is its mangled name."""
    name = read_c_string(read_word(int(message_type["info"]) + 8)).lstrip("*")
    # The name of a type alone is no symbol; that of its type_info object is.
    found = gdb.execute("demangle -- _ZTS" + name, to_string=True).strip()
    return found[len("typeinfo name for "):] if found.startswith("typeinfo name for ") else name


def message_text(envelope):
    """The type of a message, and its value where the program's debug information knows the type."""
    kind = envelope["type"]
    if int(kind) == 0:
        return "(a wake-up)"
    kind = kind.dereference()
    name = type_name(kind)
    try:
        payload = gdb.Value(int(envelope.address) + int(kind["offset"])).cast(gdb.lookup_type(name).pointer()).dereference()
        return "%s %s" % (name, payload.format_string(max_elements=20))
    except (gdb.error, ValueError):
        return "%s, %d bytes" % (name, int(kind["bytes"]) - int(kind["offset"]))


# --- stacks ---------------------------------------------------------------------------------------------------------------------------

class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Bridge(gdb.unwinder.Unwinder):
    """Says that the innermost frame of the selected thread was called by a process. No register is written, so it works on a core too."""

    def __init__(self):
        super().__init__("weft-process")
        self.thread = self.registers = None

    def __call__(self, pending):
        if self.registers is None or gdb.selected_thread().ptid != self.thread:
            return None
        sp, pc = (int(pending.read_register(r)) for r in ("rsp", "rip"))
        if (sp, pc) != self.innermost:
            return None
        # gdb takes a caller whose stack lies below its callee's for a damaged stack. So the callee gets an identity below the process's.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.registers["rsp"] - 4096), gdb.Value(pc)))
        for register, value in self.registers.items():
            info.add_saved_register(register, gdb.Value(value).cast(pending.read_register(register).type))
        return info

    def enter(self, process):
        self.leave()
        frame = gdb.newest_frame()
        self.innermost = tuple(int(frame.read_register(r)) for r in ("rsp", "rip"))
        self.thread = gdb.selected_thread().ptid
        self.registers = process.registers()
        gdb.invalidate_cached_frames()

    def leave(self):
        if self.registers is not None:
            self.registers = None
            gdb.invalidate_cached_frames()


bridge = Bridge()


def print_frames(frame):
    level = 0
    while frame is not None:
        place = frame.find_sal()
        where = " at %s:%d" % (place.symtab.filename, place.line) if place.symtab else ""
        print("#%-2d 0x%016x in %s ()%s" % (level, frame.pc(), frame.name() or "??", where))
        level += 1
        frame = frame.older()


def thread_on(stack):
    base, end = int(stack["base"]), int(stack["base"]) + int(stack["bytes"])
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        if base <= int(gdb.newest_frame().read_register("rsp")) < end:
            return thread
    return None


def suspended(process):
    if process.worker() is not None:
        raise gdb.GdbError("It runs, on worker %d: see its thread." % process.worker())
    if process.stack() is None:
        raise gdb.GdbError("It has no stack: it is %s." % process.status())
    return process


# --- commands -------------------------------------------------------------------------------------------------------------------------

class Command(gdb.Command):
    """Runs in C++, whatever the language of the function that the program stands in: abort() is C."""

    def invoke(self, argument, from_tty):
        language = gdb.parameter("language")
        gdb.execute("set language c++", to_string=True)
        try:
            self.run(argument)
        finally:
            gdb.execute("set language " + language, to_string=True)


class InfoWeft(Command):
    """All processes of the program: pid, status, label, names, messages waiting."""

    def __init__(self):
        super().__init__("info weft", gdb.COMMAND_STATUS)

    def run(self, argument):
        for core in runtimes():
            mine = [p for p in processes() if p.core.address == core.address]
            print("weft runtime at 0x%x: %d processes, %d workers" % (int(core.address), len(mine), len(list(workers(core)))))
            for p in mine:
                line = "%s %s, mailbox %d" % (pid_text(p.pid), p.status(), p.depth())
                if p.label():
                    line += ", label " + p.label()
                if p.names():
                    line += ", name " + " ".join(p.names())
                print(line)


class Weft(gdb.Command):
    """Looks at one process: weft bt|mailbox|enter PID, weft leave."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class WeftBt(Command):
    """weft bt PID: the stack of a process, innermost frame first."""

    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK)

    def run(self, argument):
        process = find(argument)
        print("%s %s" % (pid_text(process.pid), process.status()))
        if process.stack() is None:
            print("It has no stack.")
            return
        thread_before = gdb.selected_thread()
        try:
            if process.worker() is None:
                bridge.enter(process)
                print_frames(gdb.newest_frame().older())
            elif thread_on(process.stack()) is not None:
                print_frames(gdb.newest_frame())
            else:
                print("Its worker is between two processes.")
        finally:
            bridge.leave()
            thread_before.switch()


class WeftMailbox(Command):
    """weft mailbox PID: the messages that a process has not consumed, oldest first."""

    def __init__(self):
        super().__init__("weft mailbox", gdb.COMMAND_DATA)

    def run(self, argument):
        process = find(argument)
        print("%s has %d messages" % (pid_text(process.pid), process.depth()))
        for place, envelope in process.messages():
            print("  %s: %s" % (place, message_text(envelope)))


class WeftEnter(Command):
    """weft enter PID: until `weft leave`, the selected thread's stack is followed by that of a process that does not run."""

    def __init__(self):
        super().__init__("weft enter", gdb.COMMAND_STACK)

    def run(self, argument):
        bridge.enter(suspended(find(argument)))
        gdb.newest_frame().older().select()
        gdb.execute("frame")


class WeftLeave(Command):
    """weft leave: the selected thread has its own stack again."""

    def __init__(self):
        super().__init__("weft leave", gdb.COMMAND_STACK)

    def run(self, argument):
        bridge.leave()


# --- pretty printers ------------------------------------------------------------------------------------------------------------------

class PidPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return pid_text(int(self.value["id_"]))


class MessagePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        envelope = leaf(self.value["envelope_"])
        return "(empty)" if int(envelope) == 0 else message_text(envelope.dereference())


class ExitReasonPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        if int(self.value["data_"]) == 0:
            return "(moved from)"
        data = self.value["data_"].dereference()
        made = atom_text(int(data["kind"]["id_"]))
        made += " " + text(data["type"]) if text(data["type"]) else ""
        return made + (": " + text(data["text"]) if text(data["text"]) else "")


def printers():
    made = gdb.printing.RegexpCollectionPrettyPrinter("weft")
    # An inline namespace may stand between.
    made.add_printer("Pid", r"^weft::(v\d+::)?Pid$", PidPrinter)
    made.add_printer("Message", r"^weft::(v\d+::)?Message$", MessagePrinter)
    made.add_printer("ExitReason", r"^weft::(v\d+::)?ExitReason$", ExitReasonPrinter)
    return made


gdb.printing.register_pretty_printer(None, printers(), replace=True)
gdb.unwinder.register_unwinder(None, bridge, replace=True)
gdb.events.cont.connect(lambda event: bridge.leave())
for command in (InfoWeft, Weft, WeftBt, WeftMailbox, WeftEnter, WeftLeave):
    command()
